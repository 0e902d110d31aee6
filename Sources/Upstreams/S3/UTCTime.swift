/// A moment of universal time, in the forms that S3 and HTTP write it. The calendar is the Gregorian one throughout.
struct UTCTime: Sendable, Equatable {
  /// Seconds since 1970, without leap seconds.
  let seconds: Int64

  init(seconds: Int64) {
    self.seconds = seconds
  }

  /// Reads RFC 9110's form of a date, as in `Sun, 06 Nov 1994 08:49:37 GMT`. nil for any other text, the obsolete forms
  /// included, and for a day that there is not.
  init?(httpDate text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 29 else { return nil }
    func word(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
    func number(_ range: Range<Int>) -> Int64? {
      bytes[range].allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int64(word(range)) : nil
    }
    guard Self.weekdays.contains(word(0..<3)), word(3..<5) == ", ", word(7..<8) == " ", word(11..<12) == " ",
      word(16..<17) == " ", word(19..<20) == ":", word(22..<23) == ":", word(25..<29) == " GMT",
      let monthIndex = Self.months.firstIndex(of: word(8..<11)), let day = number(5..<7), let year = number(12..<16),
      let hour = number(17..<19), let minute = number(20..<22), let second = number(23..<25), hour < 24, minute < 60,
      second <= 60
    else { return nil }
    let days = Self.days(year: year, month: Int64(monthIndex) + 1, day: day)
    // A day that the month does not have becomes one of the next month.
    guard Self.date(ofDay: days) == (year, Int64(monthIndex) + 1, day) else { return nil }
    self.init(seconds: days * 86400 + hour * 3600 + minute * 60 + second)
  }

  /// `20130524T000000Z`: what Signature Version 4 takes.
  var basicText: String {
    let time = seconds - dayNumber * 86400
    return "\(dayText)T\(Self.padded(time / 3600, 2))\(Self.padded(time / 60 % 60, 2))\(Self.padded(time % 60, 2))Z"
  }

  /// `20130524`.
  var dayText: String {
    let (year, month, day) = Self.date(ofDay: dayNumber)
    return Self.padded(year, 4) + Self.padded(month, 2) + Self.padded(day, 2)
  }

  /// Days since 1970, rounded down.
  private var dayNumber: Int64 { Self.quotient(seconds, 86400) }

  private static let weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  // A year that begins on 1 March ends with the leap day, so the days before each of its months are always the same.

  /// 400 years.
  private static let daysInCycle: Int64 = 146097
  /// From 1 March of the year 0 to 1970.
  private static let daysBefore1970: Int64 = 719468

  private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let marchYear = month > 2 ? year : year - 1
    return 365 * marchYear + quotient(marchYear, 4) - quotient(marchYear, 100) + quotient(marchYear, 400)
      + daysBefore(month: (month + 9) % 12) + day - 1 - daysBefore1970
  }

  private static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let days = day + daysBefore1970
    let cycle = quotient(days, daysInCycle)
    let dayOfCycle = days - cycle * daysInCycle
    // Without the leap days before it, each year has 365.
    let year = (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36524 - dayOfCycle / 146096) / 365
    let dayOfYear = dayOfCycle - (365 * year + year / 4 - year / 100)
    let month = (5 * dayOfYear + 2) / 153
    let isAfterDecember = month >= 10
    return (
      cycle * 400 + year + (isAfterDecember ? 1 : 0), isAfterDecember ? month - 9 : month + 3,
      dayOfYear - daysBefore(month: month) + 1
    )
  }

  /// - Parameter month: 0 is March.
  private static func daysBefore(month: Int64) -> Int64 { (153 * month + 2) / 5 }

  /// Rounded down, also of negative numbers.
  private static func quotient(_ number: Int64, _ divisor: Int64) -> Int64 {
    number >= 0 ? number / divisor : (number + 1) / divisor - 1
  }

  private static func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }
}
