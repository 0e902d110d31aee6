import Testing

/// Tests with sockets and the times of peers that wait for each other. One after another: each brings all the threads
/// that a machine has use for.
@Suite("On loopback", .serialized)
enum RealNetwork {}
