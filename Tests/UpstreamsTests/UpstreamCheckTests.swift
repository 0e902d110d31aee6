import CacheStore
import ControlProtocol
import NIOCore
import NIOPosix
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import Upstreams

/// What a check says of a store.
@Suite(.timeLimit(.minutes(2)))
struct UpstreamCheckTests {
  private func report(
    _ store: FakeStore, change: (inout UpstreamSettings) -> Void = { _ in }
  ) async throws -> UpstreamReport {
    var reports: [UpstreamReport] = []
    try await withBench([store], change: change) { reports = await $0.group.check(with: .init()) }
    return try #require(reports.first)
  }

  @Test(arguments: UpstreamSettings.Layout.allCases)
  func `a sound store is read and written, and nothing is left in it`(layout: UpstreamSettings.Layout) async throws {
    let store = try await FakeStore()
    let report = try await report(store) { $0.layout = layout }
    #expect(report.url == store.url && report.layer == .regional)
    #expect(report.reading == .granted && report.writing == .granted)
    #expect(report.latencyMicroseconds != nil && report.waiting == 0)
    #expect(store.objects.isEmpty)
    #expect(store.requests.map(\.method) == ["GET", "GET", "GET", "PUT", "GET", "DELETE"])
  }

  @Test func `a store that refuses writing is told`() async throws {
    let store = try await FakeStore { $0.method == "PUT" ? .status(405) : nil }
    let report = try await report(store)
    #expect(report.reading == .granted)
    #expect(
      report.writing
        == .problem("does not take objects (PUT: 405): set read_only = true, or allow PUT there"))
  }

  @Test func `a store that is only read is not written to`() async throws {
    let store = try await FakeStore()
    let report = try await report(store) { $0.isReadOnly = true }
    #expect(report.reading == .granted && report.writing == .notWanted)
    #expect(store.requests.allSatisfy { $0.method == "GET" })
  }

  @Test func `a store that gives something else back is told`() async throws {
    let store = try await FakeStore()
    store.answer { $0.method == "GET" && !store.objects.isEmpty ? .status(200, body: [1, 2, 3]) : nil }
    #expect(try await report(store).writing == .problem("gives another object back than it took"))
  }

  @Test func `a store that forgets is told`() async throws {
    let store = try await FakeStore { $0.method == "PUT" ? .status(201) : nil }
    #expect(try await report(store).writing == .problem("took an object, and does not have it"))
  }

  @Test func `a page that comes for every object is told`() async throws {
    let store = try await FakeStore { _ in .status(200, body: Array("<html>".utf8)) }
    #expect(try await report(store).reading == .problem(Envelope.Flaw.foreign.explanation))
  }

  @Test func `a store that is not there is told`() async throws {
    let port = RefusingPort()
    let report = try await report(FakeStore()) { $0.url = port.url }
    let problem = UpstreamReport.Right.problem("refuses connections: is it running, and is the port right?")
    #expect(report.reading == problem && report.writing == problem && report.latencyMicroseconds == nil)
  }
}

/// What surrounds a build says how a store is reached.
struct ConnectionOptionsTests {
  private func options(_ variables: [String: String], _ settings: UpstreamSettings = .init(url: "http://h"))
    -> ConnectionOptions
  {
    UpstreamSurroundings(environment: variables).connectionOptions(for: settings)
  }

  @Test func `proxies are taken as curl takes them`() {
    let all = options(["ALL_PROXY": "a"])
    #expect(all.secureProxy == "a" && all.plainProxy == "a")
    let each = options(["ALL_PROXY": "a", "https_proxy": "s", "http_proxy": "p", "no_proxy": "x"])
    #expect(each.secureProxy == "s" && each.plainProxy == "p" && each.proxyExceptions == "x")
    #expect(options(["HTTP_PROXY": "p"]).plainProxy == nil)
    #expect(options(["https_proxy": ""]).secureProxy == nil)
  }

  @Test func `a netrc file is read for HTTP stores without a token`() {
    #expect(options(["HOME": "/h"]).netrcFile == "/h/.netrc")
    #expect(options(["HOME": "/h", "NETRC": "/n"]).netrcFile == "/n")
    #expect(options(["HOME": "/h"], .init(url: "http://h", token: Secret("x"))).netrcFile == nil)
    #expect(options(["HOME": "/h"], .init(url: "s3://b")).netrcFile == nil)
    #expect(options([:]).netrcFile == nil)
  }

  @Test func `the configuration's authorities come before the environment's`() {
    let variables = ["CURL_CA_BUNDLE": "/c", "SSL_CERT_FILE": "/s", "AWS_CA_BUNDLE": "/a"]
    #expect(options(variables, .init(url: "http://h", authorityFile: "/own")).authorityFile == "/own")
    #expect(options(variables).authorityFile == "/c")
    #expect(options(variables, .init(url: "s3://b")).authorityFile == "/a")
    #expect(options(["SSL_CERT_FILE": "/s"]).authorityFile == "/s")
  }
}
