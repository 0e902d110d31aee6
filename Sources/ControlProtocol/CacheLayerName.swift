/// The places a lookup goes to, nearest first.
package enum CacheLayerName: String, CaseIterable, Sendable, Comparable {
  case local
  case peers
  case regional
  case s3

  private var distance: Int {
    switch self {
    case .local: 0
    case .peers: 1
    case .regional: 2
    case .s3: 3
    }
  }

  package static func < (left: Self, right: Self) -> Bool { left.distance < right.distance }
}
