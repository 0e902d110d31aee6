import CCurl
import Glibc
import NIOCore

/// A transfer that libcurl works on: the handle with its settings, and what libcurl calls back. Of the engine's thread.
final class ActiveTransfer {
  let handle: UnsafeMutableRawPointer
  let urgency: TransferEngine.Urgency
  let transfer: Transfer
  private var headers: UnsafeMutablePointer<curl_slist>?

  init(handle: UnsafeMutableRawPointer, urgency: TransferEngine.Urgency, transfer: Transfer) {
    self.handle = handle
    self.urgency = urgency
    self.transfer = transfer
  }

  deinit { fabrik_curl_list_free(headers) }

  /// Tells libcurl all of it.
  func configure() {
    let easy = handle
    func set(_ option: CURLoption, _ value: Int) { _ = fabrik_curl_set_long(easy, option, value) }
    func set(_ option: CURLoption, _ value: String?) { _ = fabrik_curl_set_text(easy, option, value) }
    let context = Unmanaged.passUnretained(self).toOpaque()
    set(CURLOPT_NOSIGNAL, 1)
    // A name that is being looked up when its transfer is given up is left to its thread: to wait for that, as is the
    // default, stops all transfers for as long as a dead name server takes.
    set(CURLOPT_QUICK_EXIT, 1)
    // Whatever a redirection or a configuration may say.
    set(CURLOPT_PROTOCOLS_STR, "http,https")
    set(CURLOPT_FOLLOWLOCATION, 0)
    set(CURLOPT_URL, transfer.request.url)
    // What was signed is what is sent.
    set(CURLOPT_PATH_AS_IS, 1)
    set(CURLOPT_CONNECTTIMEOUT_MS, transfer.options.connectPatience)
    set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    set(CURLOPT_USERAGENT, "fabrik")
    setTrust(transfer.options, set)
    let isSecure = transfer.request.url.hasPrefix("https:")
    // An empty name: none, whatever this process's environment says.
    set(CURLOPT_PROXY, (isSecure ? transfer.options.secureProxy : transfer.options.plainProxy) ?? "")
    set(CURLOPT_NOPROXY, transfer.options.proxyExceptions ?? "")
    // What a proxy says of a tunnel is not the store's answer.
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    if let file = transfer.options.netrcFile {
      set(CURLOPT_NETRC, Int(CURL_NETRC_OPTIONAL.rawValue))
      set(CURLOPT_NETRC_FILE, file)
    }
    var headers: UnsafeMutablePointer<curl_slist>?
    for header in transfer.request.headers {
      headers = fabrik_curl_list_append(headers, "\(header.name): \(header.value)")
    }
    // A store that does not know the expectation would cost a second.
    headers = fabrik_curl_list_append(headers, "Expect:")
    self.headers = headers
    _ = fabrik_curl_set_list(easy, CURLOPT_HTTPHEADER, headers)
    setMethod(context)
    _ = fabrik_curl_set_transfer(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
      ActiveTransfer.of(context).take(UnsafeRawBufferPointer(start: bytes, count: size * count))
    }
    _ = fabrik_curl_set_pointer(easy, CURLOPT_WRITEDATA, context)
    _ = fabrik_curl_set_transfer(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
      ActiveTransfer.of(context).takeHead(UnsafeRawBufferPointer(start: bytes, count: size * count))
    }
    _ = fabrik_curl_set_pointer(easy, CURLOPT_HEADERDATA, context)
  }

  private func setTrust(_ options: ConnectionOptions, _ set: (CURLoption, String?) -> Void) {
    if let file = options.authorityFile { set(CURLOPT_CAINFO, file) }
    // With a directory of certificates, libcurl reads all of them anew for each connection: 40 ms of processor time.
    set(CURLOPT_CAPATH, nil)
  }

  private func setMethod(_ context: UnsafeMutableRawPointer) {
    let easy = handle
    switch transfer.request.method {
    case .get: _ = fabrik_curl_set_long(easy, CURLOPT_HTTPGET, 1)
    case .delete: _ = fabrik_curl_set_text(easy, CURLOPT_CUSTOMREQUEST, "DELETE")
    case .put:
      _ = fabrik_curl_set_long(easy, CURLOPT_UPLOAD, 1)
      _ = fabrik_curl_set_size(easy, CURLOPT_INFILESIZE_LARGE, curl_off_t(transfer.upload?.size ?? 0))
      _ = fabrik_curl_set_transfer(easy, CURLOPT_READFUNCTION) { bytes, size, count, context in
        ActiveTransfer.of(context).give(UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
      }
      _ = fabrik_curl_set_pointer(easy, CURLOPT_READDATA, context)
      // A connection that the store has closed meanwhile is replaced, and the body sent once more.
      _ = fabrik_curl_set_seek(easy) { context, offset, origin in
        guard origin == SEEK_SET, offset >= 0 else { return CURL_SEEKFUNC_FAIL }
        ActiveTransfer.of(context).transfer.sent = UInt64(offset)
        return CURL_SEEKFUNC_OK
      }
      _ = fabrik_curl_set_pointer(easy, CURLOPT_SEEKDATA, context)
    }
  }

  /// The transfer that a callback is about. libcurl calls back only while the engine holds it.
  private static func of(_ context: UnsafeMutableRawPointer?) -> ActiveTransfer {
    guard let context else { preconditionFailure("libcurl called back without what it was given") }
    return Unmanaged<ActiveTransfer>.fromOpaque(context).takeUnretainedValue()
  }

  // MARK: - What libcurl calls back

  /// Returns the number of bytes taken; any other than all ends the transfer.
  private func take(_ bytes: UnsafeRawBufferPointer) -> Int {
    transfer.received += UInt64(bytes.count)
    guard transfer.announceHead(), transfer.consumer.take(bytes) else { return bytes.count == 0 ? 1 : 0 }
    return bytes.count
  }

  private func takeHead(_ line: UnsafeRawBufferPointer) -> Int {
    guard transfer.head.take(line) else { return 0 }
    // The empty line that ends a head; that of an interim answer does not count.
    if line.count <= 2, transfer.head.status >= 200 { transfer.answeredAt = .now() }
    return line.count
  }

  private func give(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard let body = transfer.upload else { return 0 }
    guard let count = body.read(at: transfer.sent, into: buffer) else { return Int(CURL_READFUNC_ABORT) }
    transfer.sent += UInt64(count)
    transfer.sentAt = .now()
    return count
  }
}
