// Package authinspecttest holds fakes of the servers that package authinspect
// asks: web front ends (Exchange, Exchange Online, AD FS, proxies) and mail
// servers, on loopback, described by tables. They are for the tests of
// programs that use authinspect as much as for its own.
//
// Every fake fails loudly when a password or a token arrives: it refuses the
// request, records a violation, and its Close panics if nobody has taken the
// violations. That guards the promise of authinspect never to send one.
//
// What they do not model: sign-ins of any kind, mailboxes, redirects between
// sites, HTTP/2, throttling. A request that a table does not describe is
// answered as the real server answers nonsense, never with an invention.
package authinspecttest
