import FrontEnds

/// What is taken out of bytes that come in pieces, and how many bytes are left.
func messages<Message: LinkMessage>(
  _ bytes: some Sequence<ArraySlice<UInt8>>, of: Message.Type
) -> (events: [LinkMessageParser<Message>.Event], left: Int) {
  var parser = LinkMessageParser<Message>()
  var pending: [UInt8] = []
  var events: [LinkMessageParser<Message>.Event] = []
  for piece in bytes {
    pending += piece
    while let (consumed, event) = pending.withUnsafeBytes({ parser.next($0) }) {
      pending.removeFirst(consumed)
      events.append(event)
    }
  }
  return (events, pending.count)
}
