package import NIOCore

extension EventLoopFuture where Value: Sendable {
  /// The value, or `other` when there is none by then. The answer comes on `loop`.
  package func or(_ other: Value, at deadline: NIODeadline, on loop: any EventLoop) -> EventLoopFuture<Value> {
    let promise = loop.makePromise(of: Value.self)
    let isKept = NIOLoopBoundBox.makeBoxSendingValue(false, eventLoop: loop)
    @Sendable func keep(_ value: Value) {
      guard !isKept.value else { return }
      isKept.value = true
      promise.succeed(value)
    }
    let timer = loop.scheduleTask(deadline: deadline) { keep(other) }
    hop(to: loop).whenComplete { result in
      timer.cancel()
      switch result {
      case .success(let value): keep(value)
      case .failure: keep(other)
      }
    }
    return promise.futureResult
  }
}
