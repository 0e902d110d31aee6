import Foundation
import Testing

@testable import FrontEnds

@Suite("Go's cache protocol: answers")
struct GoCacheAnswerTests {
  private func fields(_ line: [UInt8]) throws -> NSDictionary {
    #expect(line.last == UInt8(ascii: "\n") && line.count { $0 == UInt8(ascii: "\n") } == 1)
    return try #require(JSONSerialization.jsonObject(with: Data(line)) as? NSDictionary)
  }

  @Test("each answer is one line of JSON with the fields that Go reads")
  func lines() throws {
    let output = [UInt8](0..<32)
    #expect(try fields(GoCacheAnswer.greeting) == ["ID": 0, "KnownCommands": ["get", "put", "close"]])
    #expect(try fields(GoCacheAnswer.miss(id: 1)) == ["ID": 1, "Miss": true])
    #expect(
      try fields(GoCacheAnswer.hit(id: 2, output: output, size: 4570, created: 1_000, path: Array("/a/b".utf8)))
        == [
          "ID": 2, "OutputID": Data(output).base64EncodedString(), "Size": 4570, "Time": "1970-01-01T00:00:01.000Z",
          "DiskPath": "/a/b",
        ])
    #expect(try fields(GoCacheAnswer.stored(id: 3, path: Array("/a/b".utf8))) == ["ID": 3, "DiskPath": "/a/b"])
    #expect(try fields(GoCacheAnswer.failed(id: .max, reason: "no")) == ["ID": Int64.max, "Err": "no"])
    #expect(try fields(GoCacheAnswer.closed(id: 4)) == ["ID": 4])
  }

  @Test(
    "any path can be said", arguments: ["/with \"quotes\"", "/back\\slash", "/line\nbreak\u{1}\u{7f}", "/ümläut/日本"])
  func paths(path: String) throws {
    #expect(try fields(GoCacheAnswer.stored(id: 1, path: Array(path.utf8)))["DiskPath"] as? String == path)
  }

  @Test("times are those of the calendar")
  func times() {
    let formatter = ISO8601DateFormatter()
    formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
    // Every day of eighty years, at changing times of the day.
    for day in 0..<29_220 {
      let milliseconds = UInt64(day) * 86_400_000 + UInt64(day) * 7_919 % 86_400_000
      let date = Date(timeIntervalSince1970: Double(milliseconds / 1000))
      let expected = formatter.string(from: date).replacing(".000Z", with: "")
      guard GoCacheAnswer.time(milliseconds).hasPrefix(expected + ".") else {
        Issue.record("\(GoCacheAnswer.time(milliseconds)) for \(expected)")
        return
      }
    }
    #expect(GoCacheAnswer.time(951_782_400_007) == "2000-02-29T00:00:00.007Z")
    #expect(GoCacheAnswer.time(4_107_542_400_000) == "2100-03-01T00:00:00.000Z")
    #expect(GoCacheAnswer.time(.max) == "9999-12-31T23:59:59.999Z")
  }
}
