import Glibc

/// The functions of libdbus-1 that are used here.
///
/// The library is loaded when it is first needed: nothing of it is needed to build, a machine without it loses only what
/// needs a bus, and a program that never asks does not pay for loading it. It aborts the process when it is called with
/// a malformed name or text, so nothing but constants and what the library itself has checked is passed to it.
///
/// Sendable: pointers to code, and libdbus locks its own data once `threads_init_default` was called.
struct BusLibrary: @unchecked Sendable {
  typealias Connection = OpaquePointer
  typealias Message = OpaquePointer
  typealias Text = UnsafePointer<CChar>
  /// A caller's `DBusError` or `DBusMessageIter`; see `BusScratch`.
  typealias Scratch = UnsafeMutableRawPointer
  /// `dbus_bool_t`.
  typealias Flag = UInt32

  let errorInit: @convention(c) (Scratch) -> Void
  let errorFree: @convention(c) (Scratch) -> Void

  let open: @convention(c) (Text, Scratch) -> Connection?
  let close: @convention(c) (Connection) -> Void
  let release: @convention(c) (Connection) -> Void
  let setExitOnDisconnect: @convention(c) (Connection, Flag) -> Void
  let setMaxMessageSize: @convention(c) (Connection, CLong) -> Void
  let setMaxReceivedSize: @convention(c) (Connection, CLong) -> Void
  let setUniqueName: @convention(c) (Connection, Text) -> Flag
  let isAuthenticated: @convention(c) (Connection) -> Flag
  let descriptor: @convention(c) (Connection, UnsafeMutablePointer<CInt>) -> Flag
  let readWrite: @convention(c) (Connection, CInt) -> Flag
  let hasMessagesToSend: @convention(c) (Connection) -> Flag
  let popMessage: @convention(c) (Connection) -> Message?
  let send: @convention(c) (Connection, Message, UnsafeMutablePointer<UInt32>?) -> Flag

  let newMessage: @convention(c) (CInt) -> Message?
  let releaseMessage: @convention(c) (Message) -> Void
  let type: @convention(c) (Message) -> CInt
  let serial: @convention(c) (Message) -> UInt32
  let replySerial: @convention(c) (Message) -> UInt32
  let sender: @convention(c) (Message) -> Text?
  let path: @convention(c) (Message) -> Text?
  let interface: @convention(c) (Message) -> Text?
  let member: @convention(c) (Message) -> Text?
  let errorName: @convention(c) (Message) -> Text?
  let setDestination: @convention(c) (Message, Text) -> Flag
  let setPath: @convention(c) (Message, Text) -> Flag
  let setInterface: @convention(c) (Message, Text) -> Flag
  let setMember: @convention(c) (Message, Text) -> Flag
  let setErrorName: @convention(c) (Message, Text) -> Flag
  let setReplySerial: @convention(c) (Message, UInt32) -> Flag
  let setNoReply: @convention(c) (Message, Flag) -> Void

  let read: @convention(c) (Message, Scratch) -> Flag
  let argumentType: @convention(c) (Scratch) -> CInt
  let basic: @convention(c) (Scratch, UnsafeMutableRawPointer) -> Void
  let recurse: @convention(c) (Scratch, Scratch) -> Void
  let next: @convention(c) (Scratch) -> Flag
  let write: @convention(c) (Message, Scratch) -> Void
  let appendBasic: @convention(c) (Scratch, CInt, UnsafeRawPointer) -> Flag
  let openContainer: @convention(c) (Scratch, CInt, Text?, Scratch) -> Flag
  let closeContainer: @convention(c) (Scratch, Scratch) -> Flag

  let isBusName: @convention(c) (Text, Scratch?) -> Flag
  let isPath: @convention(c) (Text, Scratch?) -> Flag

  /// The library, loaded once and never unloaded; or why there is none.
  static let shared = Result { () throws(BusFailure) in try BusLibrary(file: "libdbus-1.so.3") }

  init(file: String) throws(BusFailure) {
    guard let handle = dlopen(file, RTLD_NOW | RTLD_LOCAL) else {
      throw .unavailable("\(file) is not installed")
    }
    let symbols = Symbols(handle: handle, file: file)
    let initializeThreads: @convention(c) () -> Flag = try symbols("threads_init_default")
    errorInit = try symbols("error_init")
    errorFree = try symbols("error_free")
    open = try symbols("connection_open_private")
    close = try symbols("connection_close")
    release = try symbols("connection_unref")
    setExitOnDisconnect = try symbols("connection_set_exit_on_disconnect")
    setMaxMessageSize = try symbols("connection_set_max_message_size")
    setMaxReceivedSize = try symbols("connection_set_max_received_size")
    setUniqueName = try symbols("bus_set_unique_name")
    isAuthenticated = try symbols("connection_get_is_authenticated")
    descriptor = try symbols("connection_get_unix_fd")
    readWrite = try symbols("connection_read_write")
    hasMessagesToSend = try symbols("connection_has_messages_to_send")
    popMessage = try symbols("connection_pop_message")
    send = try symbols("connection_send")
    newMessage = try symbols("message_new")
    releaseMessage = try symbols("message_unref")
    type = try symbols("message_get_type")
    serial = try symbols("message_get_serial")
    replySerial = try symbols("message_get_reply_serial")
    sender = try symbols("message_get_sender")
    path = try symbols("message_get_path")
    interface = try symbols("message_get_interface")
    member = try symbols("message_get_member")
    errorName = try symbols("message_get_error_name")
    setDestination = try symbols("message_set_destination")
    setPath = try symbols("message_set_path")
    setInterface = try symbols("message_set_interface")
    setMember = try symbols("message_set_member")
    setErrorName = try symbols("message_set_error_name")
    setReplySerial = try symbols("message_set_reply_serial")
    setNoReply = try symbols("message_set_no_reply")
    read = try symbols("message_iter_init")
    argumentType = try symbols("message_iter_get_arg_type")
    basic = try symbols("message_iter_get_basic")
    recurse = try symbols("message_iter_recurse")
    next = try symbols("message_iter_next")
    write = try symbols("message_iter_init_append")
    appendBasic = try symbols("message_iter_append_basic")
    openContainer = try symbols("message_iter_open_container")
    closeContainer = try symbols("message_iter_close_container")
    isBusName = try symbols("validate_bus_name")
    isPath = try symbols("validate_path")
    guard initializeThreads() != 0 else { throw .unavailable("libdbus is out of memory") }
  }

  private struct Symbols {
    let handle: UnsafeMutableRawPointer
    let file: String

    func callAsFunction<Function>(_ name: String) throws(BusFailure) -> Function {
      guard let symbol = dlsym(handle, "dbus_" + name) else {
        throw .unavailable("\(file) is too old: it has no dbus_\(name)")
      }
      return unsafeBitCast(symbol, to: Function.self)
    }
  }
}
