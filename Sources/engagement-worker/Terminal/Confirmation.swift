import Glibc

/// The question before something that cannot be undone. Only people are asked: a script has nobody who could answer.
enum Confirmation {
    /// - Parameters:
    ///   - what: what would be done, after "Type yes to".
    ///   - refusal: what to say where the answer is another one.
    static func ask(_ what: String, or refusal: String) throws(Failure) {
        guard isatty(0) == 1, isatty(2) == 1 else { return }
        writeError("Type yes to \(TextEscaper.visible(what)): ")
        guard readLine() == "yes" else {
            throw Failure(.found, refusal, hint: "type yes, or give --yes")
        }
    }
}
