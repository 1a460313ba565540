package connectversion

// What TestUnderWine tells the tests that it starts there.
const (
	wineEnv        = "CROSSPREM_CONNECT_WINE"
	wineProgramEnv = "CROSSPREM_CONNECT_PROGRAM"
)
