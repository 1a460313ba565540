// Package oauthcert tells which certificate Exchange signs its OAuth tokens
// with, whether it is fit for that, and brings its public part to where Entra
// ID wants it, without ever losing a key of somebody else.
package oauthcert
