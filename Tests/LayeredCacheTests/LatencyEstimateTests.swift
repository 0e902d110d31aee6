import NIOCore
import Testing

@testable import LayeredCache

@Suite("How long a peer takes")
struct LatencyEstimateTests {
  private var estimate = LatencyEstimate()

  private mutating func record(_ microseconds: Int64, times: Int = 1) {
    for _ in 0..<times { estimate.record(.microseconds(microseconds)) }
  }

  @Test("is not known at first; bounds are there all the same")
  func unknown() {
    #expect(estimate.typical == nil)
    #expect(estimate.late == .milliseconds(9))
    #expect(estimate.lost == .milliseconds(200))
  }

  @Test("is the first answer's time, then comes closer to the later ones'")
  mutating func mean() throws {
    record(10_000)
    #expect(estimate.typical == .milliseconds(10))
    record(1000)
    var last = try #require(estimate.typical)
    #expect(last > .milliseconds(8) && last < .milliseconds(10))
    record(1000, times: 100)
    last = try #require(estimate.typical)
    #expect(last >= .microseconds(999) && last < .microseconds(1100))
  }

  @Test("bounds stay within reason, whatever the times are")
  mutating func bounds() {
    for time: Int64 in [0, 1, 50, 100_000, 10_000_000, 3_600_000_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -5, 7] {
      record(time, times: 3)
      #expect((TimeAmount.milliseconds(5)...TimeAmount.milliseconds(100)).contains(estimate.late))
      #expect((TimeAmount.milliseconds(200)...TimeAmount.seconds(1)).contains(estimate.lost))
    }
    estimate = LatencyEstimate(longest: .milliseconds(300))
    record(10_000_000)
    #expect(estimate.lost == .milliseconds(300))
  }

  @Test("being steady makes a late answer noticed sooner than being erratic")
  mutating func deviation() {
    record(20_000, times: 200)
    let steady = estimate.late
    for _ in 0..<200 {
      record(1000)
      record(39_000)
    }
    #expect(steady <= .milliseconds(25) && estimate.late > steady)
  }
}
