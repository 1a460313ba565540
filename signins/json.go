package signins

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strings"
	"time"
)

// Read yields the sign-ins of r, one after the other, in constant memory.
func (r *Reader) Read(src io.Reader) iter.Seq2[SignIn, error] {
	return func(yield func(SignIn, error) bool) {
		dec := json.NewDecoder(bufio.NewReaderSize(src, 1<<20))
		n := int64(0)
		for {
			at := dec.InputOffset()
			var v any
			err := dec.Decode(&v)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(SignIn{}, &RecordError{Record: n + 1, Offset: at, Err: err})
				return
			}
			list, ok := v.([]any)
			if m, isMap := v.(map[string]any); isMap && !ok {
				list = []any{m}
				for _, key := range []string{"value", "records"} {
					if l, isList := m[key].([]any); isList {
						list = l
					}
				}
			}
			for _, e := range list {
				n++
				m, _ := e.(map[string]any)
				s, err := fromMap(m)
				if err != nil {
					if !yield(SignIn{}, &RecordError{Record: n, Offset: at, Err: err}) {
						return
					}
				} else if !yield(s, nil) {
					return
				}
			}
		}
	}
}

func fromMap(m map[string]any) (s SignIn, err error) {
	if m == nil {
		return s, errors.New("not an object")
	}
	s.Format = GraphBeta
	s.Known = 1<<33 - 1
	if p, ok := m["properties"].(map[string]any); ok {
		cat, _ := m["category"].(string)
		for c, name := range []string{"", "SignInLogs", "NonInteractiveUserSignInLogs", "ServicePrincipalSignInLogs", "ManagedIdentitySignInLogs"} {
			if name == cat {
				s.Category = Category(c)
			}
		}
		if s.Category == 0 {
			return s, ErrOtherCategory
		}
		s.Format = AzureMonitor
		m = p
	} else if _, ok := m["userAgent"]; !ok {
		s.Format = GraphV1
		s.Known &^= FieldUserAgent | FieldAuthenticationProtocol | FieldMethods
	}
	str := func(m map[string]any, key string) string { v, _ := m[key].(string); return v }
	sub := func(key string) map[string]any { v, _ := m[key].(map[string]any); return v }
	s.ID, s.CorrelationID = str(m, "id"), str(m, "correlationId")
	s.Time, _ = time.Parse(time.RFC3339, str(m, "createdDateTime"))
	s.UserID, s.UserPrincipalName, s.UserDisplayName = str(m, "userId"), str(m, "userPrincipalName"), str(m, "userDisplayName")
	s.UserType = str(m, "userType")
	s.AppID, s.AppDisplayName = str(m, "appId"), str(m, "appDisplayName")
	s.ClientAppUsed, s.UserAgent = str(m, "clientAppUsed"), str(m, "userAgent")
	s.AuthenticationProtocol, s.IncomingTokenType = str(m, "authenticationProtocol"), str(m, "incomingTokenType")
	s.OriginalTransferMethod = str(m, "originalTransferMethod")
	s.IPAddress = str(m, "ipAddress")
	s.City, s.State, s.CountryOrRegion = str(sub("location"), "city"), str(sub("location"), "state"), str(sub("location"), "countryOrRegion")
	code, _ := sub("status")["errorCode"].(float64)
	s.ErrorCode, s.FailureReason = int32(code), str(sub("status"), "failureReason")
	s.Result = Succeeded
	if code != 0 {
		s.Result = Failed
	}
	if steps, _ := m["authenticationDetails"].([]any); len(steps) > 0 {
		for _, v := range steps {
			step, _ := v.(map[string]any)
			method := str(step, "authenticationMethod")
			switch {
			case method == "Password":
				s.Methods |= MethodPassword
			case strings.HasPrefix(method, "X.509"):
				s.Methods |= MethodCertificate
			default:
				s.Methods |= MethodOther
			}
		}
	}
	return s, nil
}
