/// The parts that belong to one engagement alone: transcript, media, action items and signals.
extension Generator {
    func fillSpoken(_ result: inout SimEngagement, _ draws: Draws) {
        let isSpoken = ["MEETING", "CALL", "WEBINAR"].contains(result.engagementType)
        let isReady = result.processingStatus != "PROCESSING" && result.processingStatus != "FAILED"
        guard isSpoken else { return }
        if isReady { result.transcript = transcript(draws, version: result.version) }
        var random = draws.stream(.media)
        if isReady || random.chance(percent: 50) {
            result.mediaURL = "https://media.example/recordings/\(result.id).mp4"
        }
    }

    /// Lines of "Name: sentence", the same for six versions.
    private func transcript(_ draws: Draws, version: Int) -> String {
        var random = draws.stream(.transcript, epoch: version / 6)
        let length = random.within(settings.transcriptBytes)
        let speakers = [random.pick(Vocabulary.firstNames), random.pick(Vocabulary.firstNames)]
        var text = ""
        text.reserveCapacity(length + 100)
        var line = 0
        while text.utf8.count < length {
            text += line == 0 ? "" : "\n"
            text += speakers[line % 2]
            text += ": "
            text += random.pick(Vocabulary.sentences)
            line += 1
        }
        return text
    }

    /// While unfinished there is at most one of each: what the analysis has found so far.
    func fillItems(_ result: inout SimEngagement, _ draws: Draws, isFinished: Bool) {
        let version = result.version
        let range =
            isFinished
            ? settings.children
            : min(settings.children.lowerBound, 1)...min(settings.children.upperBound, 1)
        var count = draws.stream(.actionItems, epoch: version / 2)
        result.actionItems = (0..<count.within(range)).map { actionItem($0, draws, version) }
        count = draws.stream(.signals, epoch: version / 2)
        result.signals = (0..<count.within(range)).map { signal($0, draws, version) }
    }

    private func actionItem(_ slot: Int, _ draws: Draws, _ version: Int) -> SimActionItem {
        var fixed = draws.stream(.actionItems, slot: slot + 1)
        var changing = draws.stream(.actionItems, epoch: (version + slot) / 3, slot: slot + 1)
        let due = Self.epoch.adding(seconds: 90 * 86_400 + 3_600 * changing.below(24 * 90))
        return SimActionItem(
            id: fixed.chance(percent: 75) ? "item-\(slot)-\(fixed.below(100_000))" : nil,
            text: changing.pick(Vocabulary.tasks),
            status: changing.chance(percent: 80) ? changing.pick(["open", "done"]) : nil,
            assigneeUserID: changing.chance(percent: 60)
                ? pools.userID(changing.below(settings.userPool)) : nil,
            dueAt: changing.chance(percent: 50) ? due : nil
        )
    }

    private func signal(_ slot: Int, _ draws: Draws, _ version: Int) -> SimSignal {
        var fixed = draws.stream(.signals, slot: slot + 1)
        var changing = draws.stream(.signals, epoch: (version + slot) / 3, slot: slot + 1)
        return SimSignal(
            id: fixed.chance(percent: 75) ? "signal-\(slot)-\(fixed.below(100_000))" : nil,
            type: fixed.chance(percent: 80) ? fixed.pick(Vocabulary.signalTypes) : nil,
            name: fixed.pick(Vocabulary.signalNames),
            value: changing.chance(percent: 50) ? changing.pick(["low", "medium", "high"]) : nil,
            score: changing.chance(percent: 60) ? changing.below(101) : nil
        )
    }
}
