package graphsignins

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/microsoft/kiota-abstractions-go/serialization"
	kiotajson "github.com/microsoft/kiota-serialization-json-go"

	"github.com/crossprem/crossprem/signins"
)

// FromModel returns the sign-in that a models.SignIn of Microsoft's SDK for
// v1.0 holds, with what v1.0 knows: see [V1]. The package of the models is not
// needed for it, and not compiled.
//
// What the SDK dropped when it read the answer is lost. If the model came
// through a backing store, it must not have been changed afterwards.
func FromModel(m serialization.Parsable) (signins.SignIn, error) {
	if v := reflect.ValueOf(m); m == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return signins.SignIn{}, errors.New("graphsignins: model of a sign-in: there is none")
	}
	// The serializer that the SDK registers would leave out what was fetched and
	// not changed.
	writer := kiotajson.NewJsonSerializationWriter()
	defer writer.Close()
	if err := writer.WriteObjectValue("", m); err != nil {
		return signins.SignIn{}, fmt.Errorf("graphsignins: model of a sign-in: %w", err)
	}
	record, err := writer.GetSerializedContent()
	if err != nil {
		return signins.SignIn{}, fmt.Errorf("graphsignins: model of a sign-in: %w", err)
	}
	var body bytes.Buffer
	body.WriteString(`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#auditLogs/signIns","value":[`)
	body.Write(record)
	body.WriteString("]}")
	page, err := signins.ReadPage(&body)
	switch {
	case err != nil:
		return signins.SignIn{}, fmt.Errorf("graphsignins: model of a sign-in: %w", err)
	case len(page.Errors) > 0:
		return signins.SignIn{}, fmt.Errorf("graphsignins: model of a sign-in: %w", page.Errors[0].Err)
	case len(page.SignIns) != 1:
		return signins.SignIn{}, errors.New("graphsignins: model of a sign-in: it holds none")
	}
	signIn := page.SignIns[0].Clone()
	// Kiota writes a time without the parts of its second.
	if dated, ok := m.(interface{ GetCreatedDateTime() *time.Time }); ok {
		if at := dated.GetCreatedDateTime(); at != nil {
			signIn.Time = at.UTC()
		}
	}
	return signIn, nil
}
