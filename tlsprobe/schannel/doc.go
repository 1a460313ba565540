// Package schannel says what a program on a Windows machine would offer in TLS,
// whether it and a server would meet, and what to change.
//
//	c, err := schannel.Read(file) // a .reg export; schannel.Local() on Windows itself
//	if err != nil {
//		return err
//	}
//	offer := c.Offers(schannel.App{Stack: schannel.WindowsPowerShell})
//	fmt.Println(offer.Set())
package schannel
