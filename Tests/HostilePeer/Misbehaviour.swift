/// What a hostile server does.
enum Misbehaviour: String, CaseIterable, Sendable {
  /// Nothing: it serves what it has. For comparison.
  case honest
  /// Bodies that are not what their digest says.
  case lie
  /// Bodies that are shorter, longer or immensely larger than announced.
  case lieSize = "lie-size"
  /// Accepts and says nothing: at once, after the handshake, after a request, in the middle of a body.
  case stall
  case stallHandshake = "stall-handshake"
  case stallRequest = "stall-request"
  case stallBody = "stall-body"
  /// One byte a second, in the head of every second answer.
  case dribble
  /// Bodies announced with 1 GB, at a rate that is just not too slow.
  case creep
  /// A TCP reset in the middle of a body.
  case reset
  /// Heads that never end: of entries, and of the introduction.
  case headers
  case headersHandshake = "headers-handshake"
  /// A summary larger than allowed, without end.
  case flood
  /// The largest summary that is allowed, again and again.
  case floodFull = "flood-full"
  /// Changes of the summary, again and again.
  case floodChanges = "flood-changes"
  /// Random bytes after the handshake.
  case garbage
  /// Random bytes in place of the handshake.
  case garbageHandshake = "garbage-handshake"
}
