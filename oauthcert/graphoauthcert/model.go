package graphoauthcert

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/microsoft/kiota-abstractions-go/serialization"
	kiotajson "github.com/microsoft/kiota-serialization-json-go"

	"github.com/crossprem/crossprem/oauthcert"
)

// FromModel returns the key that a models.KeyCredential of Microsoft's SDK
// holds. The package of the models is not needed for it, and not compiled.
//
// CustomKeyIdentifier is the text that Microsoft Graph sent, which the SDK
// decodes as if it were base64. A date that was sent without a zone the SDK
// takes for local time; nobody can tell it afterwards.
func FromModel(m serialization.Parsable) (oauthcert.KeyCredential, error) {
	var k oauthcert.KeyCredential
	data, err := modelJSON(m)
	if err == nil {
		err = json.Unmarshal(data, &k)
	}
	if err != nil {
		return oauthcert.KeyCredential{}, fmt.Errorf("graphoauthcert: model of a key: %w", err)
	}
	return k, nil
}

// ObjectFromModel returns what a models.Application or a
// models.ServicePrincipal of Microsoft's SDK holds, as [oauthcert.ParseObject]
// reads it: other properties, secrets among them, are left behind. A property
// that was not asked for, with $select, is one that was not read.
func ObjectFromModel(kind oauthcert.Kind, m serialization.Parsable) (*oauthcert.Object, error) {
	data, err := modelJSON(m)
	if err != nil {
		return nil, fmt.Errorf("graphoauthcert: model of a directory object: %w", err)
	}
	return oauthcert.ParseObject(kind, data)
}

// ToModel fills into, an empty model such as models.NewKeyCredential(), with
// k. Every property of it counts as changed for the SDK, so that it is sent
// whole. An error may leave into half filled; for one, a CustomKeyIdentifier
// that is not base64 cannot be held by the SDK's model.
func ToModel(k oauthcert.KeyCredential, into serialization.Parsable) error {
	if absent(into) {
		return errors.New("graphoauthcert: no model to fill")
	}
	data, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("graphoauthcert: key: %w", err)
	}
	node, err := kiotajson.NewJsonParseNode(data)
	if err == nil {
		_, err = node.GetObjectValue(func(serialization.ParseNode) (serialization.Parsable, error) { return into, nil })
	}
	if err != nil {
		return fmt.Errorf("graphoauthcert: key %.40q does not fit into the model: %w", k.KeyID, err)
	}
	return nil
}

// modelJSON writes a model whole. The serializer that the SDK registers would
// leave out what was fetched and not changed.
func modelJSON(m serialization.Parsable) ([]byte, error) {
	if absent(m) {
		return nil, errors.New("there is none")
	}
	writer := kiotajson.NewJsonSerializationWriter()
	defer writer.Close()
	if err := writer.WriteObjectValue("", m); err != nil {
		return nil, err
	}
	return writer.GetSerializedContent()
}

// absent reports whether m is nil, or a nil pointer, on which methods panic.
func absent(m serialization.Parsable) bool {
	v := reflect.ValueOf(m)
	return m == nil || v.Kind() == reflect.Pointer && v.IsNil()
}
