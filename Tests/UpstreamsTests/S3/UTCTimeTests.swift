import Glibc
import Testing

@testable import Upstreams

@Suite("A time")
struct UTCTimeTests {
  @Test(
    "is read from an HTTP date",
    arguments: [
      ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
      ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199), ("Wed, 31 Dec 2036 23:59:60 GMT", 2_114_380_800),
      ("Wed, 31 Dec 1969 23:59:59 GMT", -1), ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
    ])
  func httpDate(_ text: String, _ seconds: Int64) {
    #expect(UTCTime(httpDate: text)?.seconds == seconds)
  }

  @Test(
    "is not read from anything else",
    arguments: [
      "", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 UTC",
      "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
      "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 29 Feb 2023 08:49:37 GMT",
      "Sun, 29 Feb 1900 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT",
      "Sun, 06 Nov -994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 06 Nov 1994T08:49:37 GMT",
      "Son, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:\u{663}7 GMT",
    ])
  func otherText(_ text: String) {
    #expect(UTCTime(httpDate: text) == nil)
  }

  @Test("is written as signatures have it", arguments: [(1_369_353_600, "20130524T000000Z"), (-1, "19691231T235959Z")])
  func basicText(_ seconds: Int64, _ text: String) {
    #expect(UTCTime(seconds: seconds).basicText == text)
    #expect(UTCTime(seconds: seconds).dayText == text.prefix(8))
  }

  @Test("has the system's calendar for 220 years, and is read as it is written")
  func calendar() throws {
    var seconds: Int64 = -2_524_521_600  // 1890
    while seconds < 4_417_977_600 {  // 2110
      try #require(UTCTime(seconds: seconds).basicText == Self.text(seconds, "%Y%m%dT%H%M%SZ"))
      try #require(UTCTime(httpDate: Self.text(seconds, "%a, %d %b %Y %H:%M:%S GMT"))?.seconds == seconds)
      // Not a divisor of a day, so that every hour comes.
      seconds += 86400 + 3607
    }
  }

  private static func text(_ seconds: Int64, _ format: String) -> String {
    var parts = tm()
    var time = time_t(seconds)
    gmtime_r(&time, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      strftime(buffer.baseAddress!, buffer.count, format, &parts)
      return String(cString: buffer.baseAddress!)
    }
  }
}
