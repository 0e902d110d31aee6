import Testing

@testable import BuildLauncher

@Suite("A command, as it is shown later")
struct CommandSummaryTests {
  private func summary(_ words: String...) -> String {
    CommandSummary(words.map { Array($0.utf8) }).text
  }

  @Test("is what was typed, in short")
  func plain() {
    #expect(summary("make", "-j8", "CC=gcc -O0", "") == "make -j8 'CC=gcc -O0' ''")
    #expect(summary("make", "a\nb") == "make 'a b'")
    let long = summary("make", String(repeating: "x", count: 500))
    #expect(long.hasSuffix("x…") && long.count == 201)
  }

  @Test(
    "does not hold what looks like a secret",
    arguments: [
      ["make", "API_TOKEN=hunter2"], ["make", "--password=hunter2"], ["deploy", "--token", "hunter2", "all"],
      ["sh", "-c", "X=1 AWS_SECRET_ACCESS_KEY=hunter2 make"], ["sh", "-c", "curl --token hunter2 x"],
      ["get", "https://ada:hunter2@example.com/x"], ["sh", "-c", "get https://ada:hunter2@example.com/x"],
      ["npm", "//registry/:_authToken=hunter2"], ["curl", "-H", "Authorization: Bearer hunter2", "x"],
      ["curl", "-H", "X-Api: hunter2"], ["curl", "-u", "ada:hunter2"], ["sh", "-c", "curl -H X-Api: hunter2 y"],
    ])
  func secrets(words: [String]) {
    let text = CommandSummary(words.map { Array($0.utf8) }).text
    #expect(text.contains("…") && !text.contains("hunter2"), "\(text)")
    #expect(text.hasPrefix(words[0]))
  }

  @Test("may hold any bytes")
  func bytes() {
    #expect(CommandSummary([[0x6d, 0xff, 0xfe], []]).text == "m\u{fffd}\u{fffd} ''")
  }
}
