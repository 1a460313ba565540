// Package sdktest holds the tests with Microsoft's SDK for Graph itself,
// github.com/microsoftgraph/msgraph-sdk-go: what an embedder who uses it hands
// to our packages, and takes from them, is the same as without it. They are
// here, and nowhere else, because the SDK's models take minutes and more than
// 4 GB of memory to compile: once for this package, and for nobody who imports
// ours. The SDK's root package is not compiled here; the adapter of its client
// is a thin shell around the one of msgraph-sdk-go-core that is used here.
package sdktest
