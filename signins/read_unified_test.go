package signins

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Records of 2020 tell their outcome by a name alone.
func TestLogonErrorStandsForTheCode(t *testing.T) {
	check := func(members string, known bool, code int32, result Result, outcome Outcome) {
		t.Helper()
		for s, err := range Read(strings.NewReader(`{"CreationTime":"2026-06-15T12:45:00","Id":"1","RecordType":15,"UserId":"a@contoso.test",` + members + `}`)) {
			require.NoError(t, err)
			assert.Equal(t, known, s.Knows(FieldErrorCode), members)
			assert.Equal(t, code, s.ErrorCode, members)
			assert.Equal(t, result, s.Result, members)
			assert.Equal(t, outcome, Classify(&s).Outcome, members)
		}
	}
	check(`"Operation":"UserLoginFailed","ResultStatus":"Success","LogonError":"InvalidUserNameOrPassword"`, true, 50126, Failed, BadPassword)
	check(`"Operation":"UserLoginFailed","LogonError":"invalidusernameorpassword","ErrorNumber":""`, true, 50126, Failed, BadPassword)
	check(`"Operation":"UserLoginFailed","LogonError":"IdsLocked"`, true, 50053, Failed, LockedOrBlockedIP)
	check(`"Operation":"UserLoginFailed","LogonError":"AuthenticationFailedSasError"`, true, 500121, Failed, MFAFailed)
	check(`"Operation":"UserLoginFailed","LogonError":"SomethingNew"`, false, 0, Failed, OtherFailure)
	check(`"Operation":"UserLoginFailed","LogonError":"IdsLocked","ErrorNumber":"50126"`, true, 50126, Failed, BadPassword)
	check(`"Operation":"UserLoggedIn","ResultStatus":"Succeeded","LogonError":"UserStrongAuthEnrollmentRequiredInterrupt"`, true, 50072, Failed, MFARegistrationRequired)
	check(`"Operation":"UserLoggedIn","ResultStatus":"Success","ErrorNumber":"50140"`, true, 50140, Failed, SignInInterrupt)
	check(`"Operation":"UserLoggedIn","ResultStatus":"Success"`, true, 0, Succeeded, Success)
}
