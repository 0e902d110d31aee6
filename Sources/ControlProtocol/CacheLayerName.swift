/// The places a lookup goes to, nearest first.
package enum CacheLayerName: String, CaseIterable, Sendable {
  case local
  case peers
  case regional
  case s3
}
