import Testing

@testable import engagement_worker

@Suite struct TerminalTests {
    @Test func tableAlignsColumnsAndTrimsLineEnds() {
        var table = Table([
            .init(title: "ID"), .init(title: "N", alignment: .right), .init(title: "CAUSE"),
        ])
        table.add(["ngmt_1", "7", nil])
        table.add(["ngmt_12", "1234", "private"])
        #expect(
            table.text() == """
                ID          N  CAUSE
                ngmt_1      7  -
                ngmt_12  1234  private

                """)
    }

    @Test func tableCutsWideCellsAndCountsWideCharacters() {
        var table = Table([.init(title: "A", maximumWidth: 6), .init(title: "B")])
        table.add(["abcdefgh", "1"])
        table.add(["漢字漢字", "2"])
        table.add(["e\u{301}", "3"])
        #expect(
            table.text() == """
                A       B
                abcde…  1
                漢字…   2
                e\u{301}       3

                """)
    }

    @Test func tableCellsCannotCommandTheTerminal() {
        var table = Table("A")
        table.add(["\u{1B}[2Jx\n\u{9B}y"])
        #expect(table.text() == "A\n\\u001b[2Jx\\n\\u009by\n")
    }

    @Test func titlesAreBoldInAColouredTable() {
        #expect(Table("A").text(style: .colored) == "\u{1B}[1mA\u{1B}[0m\n")
    }

    @Test(arguments: [
        (ColorChoice.auto, [:], true, true),
        (.auto, [:], false, false),
        (.auto, ["NO_COLOR": "1", "CLICOLOR_FORCE": "1"], true, false),
        (.auto, ["NO_COLOR": ""], true, true),
        (.auto, ["CLICOLOR_FORCE": "1", "TERM": "dumb"], false, true),
        (.auto, ["CLICOLOR_FORCE": "0"], false, false),
        (.auto, ["TERM": "dumb"], true, false),
        (.always, ["NO_COLOR": "1"], false, true),
        (.never, ["CLICOLOR_FORCE": "1"], true, false),
    ])
    func coloursFollowTheConventions(
        _ choice: ColorChoice, _ environment: [String: String], _ isTerminal: Bool, _ isColored: Bool
    ) {
        let style = Style.resolve(choice, environment: environment, isTerminal: isTerminal)
        #expect(style.isColored == isColored)
        #expect(style.paint("x", .red).contains("\u{1B}") == isColored)
    }

    @Test func jsonKeepsOrderEscapesAndNeverCuts() {
        let long = String(repeating: "x", count: 5000)
        let value: JSONText = ["b": [1, true, nil, "a\"\u{2028}\n"], "a": .double(.nan), "c": [:], "d": .string(long)]
        #expect(
            value.text(isIndented: false)
                == #"{"b":[1,true,null,"a\"\u2028\n"],"a":null,"c":{},"d":""# + long + "\"}")
        #expect(
            JSONText.object([.init(name: "a", value: [1, 2])]).text() == """
                {
                  "a": [
                    1,
                    2
                  ]
                }
                """)
    }

    @Test func exitCodesAreThoseOfSysexits() {
        #expect(ExitCode.allCases.map(\.rawValue) == [0, 1, 64, 65, 69, 70, 75, 77, 78])
    }
}
