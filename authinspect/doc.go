// Package authinspect tells which authentication an endpoint really offers:
// Exchange, Exchange Online, AD FS and whatever stands in front of them, and
// mail servers. It never sends a credential: no password, no token, no user
// name beside the mailbox that the caller names.
//
// [Inspect] asks one URL up to four times: anonymously, with an empty
// "Authorization: Bearer", with the same and the caller's mailbox in
// X-User-Identity, and, where NTLM or Negotiate is offered, with the first
// NTLM message, which names nobody. [InspectOrganization] does so for all
// virtual directories of an organization at once. [InspectMail] asks IMAP,
// POP3 and SMTP. [ParseChallenges], [Conclude] and [ExplainResponse] work on
// text alone.
//
// What the answers prove: that a front end reads a scheme, and which sign-in
// service it names. What they do not: that a password or token would be let
// through, which policies and protocol switches decide. Exchange SE and late
// builds of 2019 hide Bearer from anonymous requests, so its absence there is
// no proof of anything; see [Modern].
package authinspect
