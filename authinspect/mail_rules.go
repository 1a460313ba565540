package authinspect

import "github.com/crossprem/crossprem"

// mailRules are the rules on mail servers.
var mailRules []crossprem.Rule
