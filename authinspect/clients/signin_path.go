package clients

import "fmt"

// A Federation is how users of a tenant sign in to Entra ID.
type Federation uint8

const (
	FederationUnknown Federation = iota
	PasswordHash                 // Entra ID holds hashes of the passwords
	PassThrough                  // agents on premises ask the domain controllers
	Federated                    // AD FS, or another service, signs the users in
)

// A Hop is one step on the way from a client to its mailbox.
type Hop struct {
	From, To string // "client", "Exchange Online", "Exchange Server", "Entra ID", "AD FS", "agent", "domain controller"
	Carries  string // "password", "token", "ticket", "answer"
	Sentence string // the step for people

	// SeesPassword says that the password passes to the side To.
	SeesPassword bool
}

// SignInPath returns who authenticates whom, in order, when a client signs in
// with a method to a mailbox at a place, for users who are federated or not.
// With Basic, the server of the mailbox sees the password and asks on the
// client's behalf; with tokens, only the sign-in service sees it. It returns
// an error for a way that does not exist, such as tokens for a mailbox on
// premises without modern authentication, and for unknown arguments.
//
// Source: How modern authentication works for Office client apps; Hybrid
// Modern Authentication overview (learn.microsoft.com).
func SignInPath(method Method, hosting Hosting, federation Federation) ([]Hop, error) {
	online := hosting == ExchangeOnline || hosting == ExchangeOnlinePolicy
	server := "Exchange Server"
	if online {
		server = "Exchange Online"
	}
	switch {
	case hosting == HostingUnknown || int(hosting) > len(Hostings()):
		return nil, fmt.Errorf("clients: it is not known where the mailbox is")
	case (online || hosting == OnPremisesHMABlocked) && (federation == FederationUnknown || federation > Federated):
		return nil, fmt.Errorf("clients: it is not known how users sign in to Entra ID")
	}
	hop := func(from, to, carries, sentence string) Hop {
		return Hop{From: from, To: to, Carries: carries, Sentence: sentence, SeesPassword: carries == "password"}
	}
	// entra are the hops by which Entra ID comes to know that a password is right.
	entra := func(asker string) []Hop {
		switch federation {
		case PassThrough:
			return []Hop{
				hop("Entra ID", "agent", "password", "Entra ID hands the password, encrypted for it, to a pass-through agent on premises."),
				hop("agent", "domain controller", "password", "The agent asks a domain controller."),
			}
		case Federated:
			if asker == "client" {
				return []Hop{
					hop("Entra ID", "client", "answer", "Entra ID sends the client on to AD FS."),
					hop("client", "AD FS", "password", "The user types the password on the page of AD FS."),
					hop("AD FS", "domain controller", "password", "AD FS asks a domain controller."),
					hop("AD FS", "Entra ID", "token", "AD FS answers with a token for Entra ID."),
				}
			}
			return []Hop{
				hop(asker, "AD FS", "password", asker+" hands the password to AD FS."),
				hop("AD FS", "domain controller", "password", "AD FS asks a domain controller."),
				hop("AD FS", asker, "token", "AD FS answers with a token."),
			}
		}
		return []Hop{hop("Entra ID", "Entra ID", "answer", "Entra ID compares the password with the hash that was synchronised.")}
	}
	switch {
	case method == MethodBasic && online:
		path := []Hop{hop("client", server, "password", "The client sends the password to Exchange Online with every request.")}
		if federation != Federated {
			path = append(path, hop(server, "Entra ID", "password", "Exchange Online hands the password to Entra ID on the client's behalf."))
		}
		path = append(path, entra(server)...)
		return append(path, hop(server, "client", "answer", "Exchange Online opens the mailbox.")), nil
	case method == MethodBasic:
		if hosting == OnPremisesHMABlocked || hosting == OnPremisesBasicOff {
			return nil, fmt.Errorf("clients: Basic is not possible at %v", hosting)
		}
		return []Hop{
			hop("client", server, "password", "The client sends the password to Exchange Server with every request."),
			hop(server, "domain controller", "password", "Exchange Server asks a domain controller."),
			hop(server, "client", "answer", "Exchange Server opens the mailbox."),
		}, nil
	case method == MethodWindows && !online && hosting != OnPremisesHMABlocked:
		return []Hop{
			hop("client", "domain controller", "ticket", "The client gets a ticket for Exchange Server, or answers its challenge: the password itself is not sent."),
			hop("client", server, "ticket", "The client shows the ticket or the answer to Exchange Server."),
			hop(server, "client", "answer", "Exchange Server opens the mailbox."),
		}, nil
	case method == MethodModern && (online || hosting == OnPremisesHMABlocked):
		path := []Hop{
			hop("client", server, "answer", "The client asks without a password and is told where to sign in."),
			hop("client", "Entra ID", "answer", "The client opens the sign-in page of Entra ID."),
		}
		if federation != Federated {
			path = append(path, hop("client", "Entra ID", "password", "The user types the password on the page of Entra ID."))
		}
		path = append(path, entra("client")...)
		return append(path,
			hop("Entra ID", "client", "token", "Entra ID gives the client a token for "+server+"."),
			hop("client", server, "token", "The client shows the token; "+server+" never sees the password.")), nil
	case method == MethodModern && hosting == OnPremisesADFS:
		return []Hop{
			hop("client", server, "answer", "The client asks without a password and is told where to sign in."),
			hop("client", "AD FS", "password", "The user types the password on the page of AD FS."),
			hop("AD FS", "domain controller", "password", "AD FS asks a domain controller."),
			hop("AD FS", "client", "token", "AD FS gives the client a token for Exchange Server."),
			hop("client", server, "token", "The client shows the token; Exchange Server never sees the password."),
		}, nil
	}
	return nil, fmt.Errorf("clients: %v is not possible at %v", method, hosting)
}
