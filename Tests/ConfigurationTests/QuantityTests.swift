import Configuration
import SystemSupport
import Testing

@Suite("Sizes and durations as people write them")
struct QuantityTests {
  @Test(
    "a size",
    arguments: [
      ("0", 0), ("4096", 4096), ("1B", 1), ("10GB", 10_000_000_000), ("10gb", 10_000_000_000), ("512 MiB", 536_870_912),
      ("1.5k", 1500), ("1.5KiB", 1536), ("2T", 2_000_000_000_000), ("1TiB", 1_099_511_627_776), ("3m", 3_000_000),
      ("0.5 GB", 500_000_000), ("1G", 1_000_000_000), ("1GiB", 1_073_741_824), ("1kB", 1000),
    ] as [(String, UInt64)])
  func size(text: String, bytes: UInt64) {
    #expect(ByteSize(text)?.bytes == bytes)
  }

  @Test(
    "what is not a size",
    arguments: [
      "", " ", "GB", "-1", "+1", "1..5", "1.2.3", ".5", "1e5", "0x10", "10 GB left", "10PB", "１０", "1,5GB", "nan",
      "inf",
      "9223372036854775808", "99999999TB", "1 0", "٣", "10\nGB",
    ])
  func noSize(text: String) {
    #expect(ByteSize(text) == nil)
  }

  @Test(
    "a size is shown with three digits",
    arguments: [
      (0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (9994, "9.99 kB"), (9995, "10.0 kB"), (99_949, "99.9 kB"),
      (99_950, "100 kB"), (999_499, "999 kB"), (999_500, "1.00 MB"), (184_000_000, "184 MB"),
      (9_300_000_000, "9.30 GB"),
      (5_000_000_000_000, "5.00 TB"), (12_345_000_000_000_000, "12345 TB"),
    ] as [(UInt64, String)])
  func shownSize(bytes: UInt64, text: String) {
    #expect(ByteSize(bytes: bytes).description == text)
  }

  @Test(
    "a duration",
    arguments: [
      ("0", 0), ("30", 30_000), ("30s", 30_000), ("1.5m", 90_000), ("2min", 120_000), ("500ms", 500), ("2h", 7_200_000),
      ("1d", 86_400_000), ("30 S", 30_000), ("0.0004s", 0), ("0.0006s", 1),
    ] as [(String, Int64)])
  func duration(text: String, milliseconds: Int64) {
    #expect(Duration(text: text)?.inMilliseconds == milliseconds)
  }

  @Test(
    "what is not a duration", arguments: ["", "s", "-1s", "1w", "1m30s", "forever", "4000d", "1e3s", "1.s.", "soon"])
  func noDuration(text: String) {
    #expect(Duration(text: text) == nil)
  }

  @Test(
    "a duration is shown as people say it",
    arguments: [
      (0, "0 ms"), (1, "1 ms"), (999, "999 ms"), (1000, "1s"), (4249, "4.2s"), (59_949, "59.9s"), (59_950, "1m 00s"),
      (192_000, "3m 12s"), (3_599_499, "59m 59s"), (3_599_500, "1h 00m"), (7_500_000, "2h 05m"),
      (360_000_000, "100h 00m"),
    ] as [(Int64, String)])
  func shownDuration(milliseconds: Int64, text: String) {
    #expect(Duration.milliseconds(milliseconds).spoken == text)
  }

  @Test(
    "a number has the decimals that were asked for",
    arguments: [
      (0, 3, "0.000"), (1.0005, 3, "1.001"), (0.05, 1, "0.1"), (0.04, 1, "0.0"), (12, 0, "12"), (-2.5, 1, "-2.5"),
      (0.007, 2, "0.01"), (1234.5678, 2, "1234.57"),
    ] as [(Double, Int, String)])
  func decimals(value: Double, decimals: Int, text: String) {
    #expect(Quantity.format(value, decimals: decimals) == text)
  }
}
