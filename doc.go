// Package crossprem is the map of a library that answers the authentication
// questions on the seam between on-premises Exchange and Microsoft 365.
package crossprem
