/// A question for what an answer left out: asked soon, then twice more with longer pauses.
struct FollowUp {
  /// nil when it has been asked often enough.
  private(set) var due: Instant?
  private var count = 0

  /// The rest often comes with the next packet.
  private static let patience = Duration.milliseconds(20)
  private static let pauses = [Duration.seconds(1), .seconds(3)]

  init(now: Instant) {
    due = now + Self.patience
  }

  /// It has been asked.
  mutating func note(now: Instant) {
    due = count < Self.pauses.count ? now + Self.pauses[count] : nil
    count += 1
  }
}
