extension DesktopNotifications {
  /// Asks on a thread of its own; see ``ask(title:body:actions:timeout:interruption:)``. Cancelling the task takes the
  /// question back.
  package func answer(
    title: String, body: String, actions: [NotificationAction], timeout: Duration, interruption: Interruption
  ) async -> NotificationAnswer {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        do {
          let thread = try BusThread {
            continuation.resume(
              returning: ask(title: title, body: body, actions: actions, timeout: timeout, interruption: interruption))
          }
          // It ends by itself.
          thread.join(until: .after(.zero))
        } catch {
          continuation.resume(returning: .unavailable("\(error)"))
        }
      }
    } onCancel: {
      interruption.fire()
    }
  }
}
