package authinspecttest

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crossprem/crossprem/authinspect"
)

// A Route is one row of the table that describes a front end: which request
// gets which answer.
type Route struct {
	// Path is the path of the request, compared without case as IIS does. One
	// that ends in "*" stands for every path that begins with the rest.
	Path string

	// Method is that of the request; if empty, any will do.
	Method string

	// Query is one "name=value" that the query of the request has to hold,
	// without case; if empty, any query will do.
	Query string

	// Step is what the request has to carry; StepUnknown stands for any
	// request that may be asked.
	Step authinspect.Step

	// Mailbox is whom X-User-Identity has to name, without case; if empty,
	// anybody. It matters for StepMailbox alone.
	Mailbox string

	// Status is that of the answer; if zero, 401.
	Status int

	// Header holds the field lines of the answer as they are sent: order,
	// case and blanks are kept. In a line, {id} stands for a fresh request ID,
	// {host} for the host that was asked, {ntlm} for the NTLM challenge that
	// FrontEnd.NTLM describes.
	Header []string

	// Body is sent with Content-Length; {host} is replaced in it too.
	Body string

	// Delay is how long the answer takes.
	Delay time.Duration
}

// A FrontEnd describes a web front end by a table. It is a plain value: take
// one of those that this package makes, such as [ExchangeOnline], and change
// it, or write one as a literal.
type FrontEnd struct {
	Name      string   // for messages, such as "Exchange SE"
	Routes    []Route  // the first one that fits answers; if none does, the answer is 404
	Always    []string // field lines that every answer carries
	NTLM      NTLM     // what {ntlm} tells
	Names     []string // on the certificate; if nil, localhost, 127.0.0.1 and ::1
	Plain     bool     // no TLS
	Untrusted bool     // the certificate comes from an authority that Roots does not hold
	Delay     time.Duration
}

// A Server is a running [FrontEnd] on loopback.
type Server struct {
	URL string // https://127.0.0.1:port or http://127.0.0.1:port, with no slash at the end

	Loopback
	front *FrontEnd

	log      sync.Mutex
	requests []string
	running  int // requests that wait for their answer
	peak     int // the most of them at one time
}

// Start starts the front end on a free port of 127.0.0.1. It panics if it
// cannot. The FrontEnd must not be changed until Close has returned.
func (f *FrontEnd) Start() *Server {
	s := &Server{front: f}
	s.listen(f.Name, f.Names, f.Untrusted)
	s.config.NextProtos = []string{"http/1.1"}
	s.URL = "https://" + s.listener.Addr().String()
	if f.Plain {
		s.URL = "http://" + s.listener.Addr().String()
	}
	s.accept(s.serve)
	return s
}

// Requests returns what was asked so far, in the order of arrival, as in
// "empty-bearer /EWS/Exchange.asmx"; other methods than GET stand in front, as
// in "POST anonymous /autodiscover/autodiscover.xml".
func (s *Server) Requests() []string {
	s.log.Lock()
	defer s.log.Unlock()
	return slices.Clone(s.requests)
}

// Peak returns the largest number of requests that waited for their answer at
// one time.
func (s *Server) Peak() int {
	s.log.Lock()
	defer s.log.Unlock()
	return s.peak
}

func (s *Server) waiting(n int) {
	s.log.Lock()
	defer s.log.Unlock()
	s.running += n
	s.peak = max(s.peak, s.running)
}

func (s *Server) serve(conn net.Conn) {
	if !s.front.Plain {
		secured := tls.Server(conn, s.config)
		defer secured.Close()
		conn = secured
	}
	r := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			}
			return
		}
		if body, _ := io.ReadAll(io.LimitReader(req.Body, 1<<20)); len(body) > 0 && !asksAutodiscover(req, string(body)) {
			s.violate("a body of %d bytes with %s %s", len(body), req.Method, req.URL.Path)
		}
		s.waiting(1)
		route := s.route(req)
		if delay := s.front.Delay + route.Delay; delay > 0 {
			select {
			case <-time.After(delay):
			case <-s.done:
				s.waiting(-1)
				return
			}
		}
		s.waiting(-1)
		if _, err := io.WriteString(conn, s.render(req, route)); err != nil || req.Close {
			return
		}
	}
}

// route finds the answer to a request.
func (s *Server) route(req *http.Request) Route {
	step, err := stepOf(req)
	s.log.Lock()
	method := ""
	if req.Method != http.MethodGet {
		method = req.Method + " "
	}
	s.requests = append(s.requests, method+step.String()+" "+req.URL.Path)
	s.log.Unlock()
	if err != nil {
		s.violate("%s %s: %v", req.Method, req.URL.Path, err)
		return Route{Status: http.StatusInternalServerError, Body: "credentials arrived: " + err.Error() + "\n"}
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost:
	default:
		return Route{Status: http.StatusMethodNotAllowed}
	}
	for _, route := range s.front.Routes {
		if route.fits(req, step) {
			return route
		}
	}
	return Route{Status: http.StatusNotFound, Header: []string{"Content-Type: text/html"}, Body: "The resource cannot be found.\n"}
}

func (r Route) fits(req *http.Request, step authinspect.Step) bool {
	path, any := strings.CutSuffix(strings.ToLower(r.Path), "*")
	asked := strings.ToLower(req.URL.Path)
	if asked != path && !(any && strings.HasPrefix(asked, path)) {
		return false
	}
	if r.Step != authinspect.StepUnknown && r.Step != step || r.Method != "" && r.Method != req.Method {
		return false
	}
	if name, value, _ := strings.Cut(r.Query, "="); r.Query != "" && !strings.EqualFold(req.URL.Query().Get(name), value) {
		return false
	}
	return r.Mailbox == "" || strings.EqualFold(r.Mailbox, req.Header.Get("X-User-Identity"))
}

// asksAutodiscover reports whether a body is the request of Autodiscover, which
// names a mailbox and holds no secret.
func asksAutodiscover(req *http.Request, body string) bool {
	var asked struct {
		Request struct {
			EMailAddress, AcceptableResponseSchema string
			Others                                 []string `xml:",any"`
		}
	}
	return req.Method == http.MethodPost && strings.EqualFold(req.URL.Path, "/autodiscover/autodiscover.xml") && xml.Unmarshal([]byte(body), &asked) == nil &&
		asked.Request.EMailAddress != "" && asked.Request.Others == nil
}

// stepOf says which step of an inspection a request is. The error describes
// a credential, without repeating it.
func stepOf(req *http.Request) (authinspect.Step, error) {
	for _, name := range []string{"Cookie", "Proxy-Authorization", "X-Authorization"} {
		if req.Header.Get(name) != "" {
			return authinspect.StepUnknown, errors.New("the field " + name)
		}
	}
	for name := range req.URL.Query() {
		switch strings.ToLower(name) {
		case "password", "passwd", "pwd", "client_secret", "access_token", "refresh_token", "id_token", "assertion", "code":
			return authinspect.StepUnknown, errors.New("the query parameter " + name)
		}
	}
	values := req.Header.Values("Authorization")
	if len(values) > 1 {
		return authinspect.StepUnknown, errors.New("several Authorization fields")
	}
	identity := req.Header.Get("X-User-Identity")
	if len(values) == 0 {
		if identity != "" {
			return authinspect.StepUnknown, errors.New("X-User-Identity without a Bearer")
		}
		return authinspect.StepAnonymous, nil
	}
	scheme, data, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	switch data = strings.TrimSpace(data); strings.ToLower(scheme) {
	case "bearer":
		switch {
		case data != "":
			return authinspect.StepUnknown, fmt.Errorf("a Bearer token of %d bytes", len(data))
		case identity != "":
			return authinspect.StepMailbox, nil
		}
		return authinspect.StepEmptyBearer, nil
	case "ntlm", "negotiate":
		if err := namesNobody(data); err != nil {
			return authinspect.StepUnknown, fmt.Errorf("%s: %w", scheme, err)
		}
		return authinspect.StepNTLM, nil
	}
	return authinspect.StepUnknown, fmt.Errorf("credentials for the scheme %.20q", scheme)
}

// namesNobody checks that token68 is a first NTLM message without names.
func namesNobody(token68 string) error {
	data, err := base64.StdEncoding.DecodeString(token68)
	if err != nil || len(data) < 32 || string(data[:8]) != ntlmSignature {
		return fmt.Errorf("%d bytes that are no NTLM message", len(token68))
	}
	if kind := data[8]; kind != 1 {
		return fmt.Errorf("an NTLM message of type %d", kind)
	}
	if string(data[16:18]) != "\x00\x00" || string(data[24:26]) != "\x00\x00" {
		return errors.New("a first NTLM message that names a domain or a computer")
	}
	return nil
}

// render writes the answer as it goes over the wire.
func (s *Server) render(req *http.Request, route Route) string {
	status := route.Status
	if status == 0 {
		status = http.StatusUnauthorized
	}
	host, _, err := net.SplitHostPort(req.Host)
	if err != nil {
		host = req.Host
	}
	body := strings.ReplaceAll(route.Body, "{host}", host)
	lines := slices.Concat([]string{fmt.Sprintf("HTTP/1.1 %03d %s", status, http.StatusText(status))}, route.Header, s.front.Always,
		[]string{"Date: " + time.Now().UTC().Format(http.TimeFormat), fmt.Sprintf("Content-Length: %d", len(body))})
	if req.Method == http.MethodHead {
		body = ""
	}
	text := strings.Join(lines, "\r\n")
	text = strings.NewReplacer("{id}", requestID(), "{host}", host).Replace(text)
	if strings.Contains(text, "{ntlm}") {
		text = strings.ReplaceAll(text, "{ntlm}", s.front.NTLM.Token68(time.Now()))
	}
	return text + "\r\n\r\n" + body
}

func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
