import COpenSSL
import Cryptography

/// TLS 1.3 (RFC 8446) with an external pre-shared key and ephemeral Diffie-Hellman, and nothing else: no certificates, no
/// early data, no resumption. Without the key there is no channel, in either direction; recorded traffic stays closed
/// to whoever learns the key later.
package final class ChannelSecurity: @unchecked Sendable {
  /// The pre-shared key's name in the handshake, readable by everybody. It is the same for all teams: which team it is
  /// shows only in whether the handshake succeeds.
  package static let pskIdentity = "fabrik-v1"
  /// With SHA-256 as its hash, which an external key has unless it says otherwise.
  private static let cipherSuite = "TLS_AES_128_GCM_SHA256"
  private static let cipherSuiteNumber: [UInt8] = [0x13, 0x01]

  private let key: [UInt8]
  /// `SSL_CTX` are used from several threads once they are set up; OpenSSL counts references to them itself.
  private let client: OpaquePointer
  private let server: OpaquePointer

  /// - Parameter key: 32 bytes.
  package init(key: [UInt8]) throws {
    self.key = key
    guard let client = SSL_CTX_new_ex(OpenSSL.library, nil, TLS_client_method()),
      let server = SSL_CTX_new_ex(OpenSSL.library, nil, TLS_server_method())
    else { throw OpenSSLFailure("making a TLS context") }
    self.client = client
    self.server = server
    for context in [client, server] {
      guard fabrik_tls13_only(context) == 1, SSL_CTX_set_ciphersuites(context, Self.cipherSuite) == 1 else {
        throw OpenSSLFailure("setting TLS up")
      }
      fabrik_no_resumption(context)
      fabrik_release_idle_buffers(context)
      // The callbacks find their way back by the context's application data, which is at index 0.
      SSL_CTX_set_ex_data(context, 0, Unmanaged.passUnretained(self).toOpaque())
    }
    // No certificate is ever right: nobody vouches for one.
    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, nil)
    SSL_CTX_set_psk_use_session_callback(client) { ssl, _, identity, length, session in
      guard let ssl, let identity, let length, let session, let made = ChannelSecurity.of(ssl)?.makeSession(ssl) else {
        return 0
      }
      identity.pointee = ChannelSecurity.identityBytes.baseAddress
      length.pointee = ChannelSecurity.identityBytes.count
      session.pointee = made
      return 1
    }
    SSL_CTX_set_psk_find_session_callback(server) { ssl, identity, length, session in
      guard let ssl, let session, length == ChannelSecurity.identityBytes.count,
        UnsafeBufferPointer(start: identity, count: length).elementsEqual(ChannelSecurity.identityBytes)
      else {
        // No session and no failure: the handshake goes on, and fails for want of a certificate.
        session?.pointee = nil
        return 1
      }
      session.pointee = ChannelSecurity.of(ssl)?.makeSession(ssl)
      return 1
    }
  }

  deinit {
    SSL_CTX_free(client)
    SSL_CTX_free(server)
  }

  /// Lives as long as the process: OpenSSL keeps a pointer to it during a handshake.
  private nonisolated(unsafe) static let identityBytes: UnsafeBufferPointer<UInt8> = {
    let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: pskIdentity.utf8.count)
    _ = bytes.initialize(from: pskIdentity.utf8)
    return UnsafeBufferPointer(bytes)
  }()

  private static func of(_ ssl: OpaquePointer) -> ChannelSecurity? {
    SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0)
      .map { Unmanaged<ChannelSecurity>.fromOpaque($0).takeUnretainedValue() }
  }

  /// The pre-shared key as OpenSSL wants it; the caller owns it.
  private func makeSession(_ ssl: OpaquePointer) -> OpaquePointer? {
    let session = SSL_SESSION_new()
    guard let cipher = SSL_CIPHER_find(ssl, Self.cipherSuiteNumber),
      SSL_SESSION_set1_master_key(session, key, key.count) == 1, SSL_SESSION_set_cipher(session, cipher) == 1,
      SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1
    else {
      SSL_SESSION_free(session)
      return nil
    }
    return session
  }

  /// One side of a connection.
  package enum Role: String, Sendable {
    case client
    case server
  }

  /// A new connection's state, with a pair of memory buffers in place of a socket.
  package func makeConnection(_ role: Role) throws -> SecureConnection {
    try SecureConnection(security: self, context: role == .client ? client : server, role: role)
  }
}

/// One TLS connection between two memory buffers: what came from the network goes into one, what is to be sent is in the
/// other. Not safe for use by several threads.
package final class SecureConnection {
  package enum Progress {
    case done
    /// More from the other side is needed.
    case waiting
    case failed
  }

  package let role: ChannelSecurity.Role
  /// Keeps what OpenSSL's callbacks point to.
  private let security: ChannelSecurity
  private let ssl: OpaquePointer
  private let received: OpaquePointer
  private let pending: OpaquePointer

  fileprivate init(security: ChannelSecurity, context: OpaquePointer, role: ChannelSecurity.Role) throws {
    self.security = security
    self.role = role
    guard let ssl = SSL_new(context), let received = BIO_new(BIO_s_mem()), let pending = BIO_new(BIO_s_mem()) else {
      throw OpenSSLFailure("making a connection")
    }
    self.ssl = ssl
    self.received = received
    self.pending = pending
    fabrik_bio_empty_is_retry(received)
    fabrik_bio_empty_is_retry(pending)
    SSL_set_bio(ssl, received, pending)
    if role == .client { SSL_set_connect_state(ssl) } else { SSL_set_accept_state(ssl) }
  }

  deinit { SSL_free(ssl) }

  /// Takes bytes from the network.
  package func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.isEmpty || BIO_write(received, bytes.baseAddress, CInt(bytes.count)) == CInt(bytes.count)
  }

  /// Done only when both ends have the key. A handshake may also end well without it, if the other end shows a
  /// certificate: anybody has one.
  package func handshake() -> Progress {
    ERR_clear_error()
    let progress = progress(of: SSL_do_handshake(ssl))
    return progress == .done && SSL_session_reused(ssl) != 1 ? .failed : progress
  }

  /// Decrypts into `buffer`; the count is 0 unless done.
  package func read(into buffer: UnsafeMutableRawBufferPointer) -> (Progress, count: Int) {
    ERR_clear_error()
    let count = SSL_read(ssl, buffer.baseAddress, CInt(buffer.count))
    return (progress(of: count), max(0, Int(count)))
  }

  /// Encrypts bytes, which are then among ``takePending(_:)``. The buffer that takes them never shrinks.
  package func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var rest = bytes
    while !rest.isEmpty {
      ERR_clear_error()
      let count = SSL_write(ssl, rest.baseAddress, CInt(min(rest.count, 1 << 30)))
      guard count > 0 else {
        ERR_clear_error()
        return false
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[Int(count)...])
    }
    return true
  }

  /// Says that nothing more will be sent.
  package func shutdown() {
    SSL_shutdown(ssl)
    ERR_clear_error()
  }

  /// Hands over what is to be sent.
  package func takePending(_ body: (UnsafeRawBufferPointer) -> Void) {
    var data: UnsafeMutablePointer<CChar>?
    let count = fabrik_bio_contents(pending, &data)
    guard count > 0, let data else { return }
    body(UnsafeRawBufferPointer(start: data, count: count))
    fabrik_bio_reset(pending)
  }

  /// Bytes that the buffer of what is to be sent has grown to. For tests: it must not grow with what is sent.
  var pendingCapacity: Int { fabrik_bio_capacity(pending) }

  /// A value that only the two ends of this connection can know (RFC 9266, `tls-exporter`): 32 bytes.
  package func exporter() -> [UInt8]? {
    var value = [UInt8](repeating: 0, count: 32)
    let label = "EXPORTER-Channel-Binding"
    let isDone = SSL_export_keying_material(ssl, &value, value.count, label, label.utf8.count, nil, 0, 1)
    return isDone == 1 ? value : nil
  }

  private func progress(of result: CInt) -> Progress {
    if result > 0 { return .done }
    let error = SSL_get_error(ssl, result)
    ERR_clear_error()
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? .waiting : .failed
  }
}
