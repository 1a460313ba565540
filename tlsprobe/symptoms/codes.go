package symptoms

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// found are the numbers that a text holds.
type found struct {
	codes  map[uint32]bool // HRESULT and SECURITY_STATUS
	alerts map[int]bool    // of TLS
	events map[int]bool    // of Schannel
	sent   bool            // an alert of event 36888, which this machine sent
}

var (
	hexCode     = regexp.MustCompile(`\b(?:0x|&h)?(80[0-9a-f]{6})(?:u|l|ul)?\b`)
	decimalCode = regexp.MustCompile(`(-214[67]\d{6}\b)|\b(214[78]\d{6})\b`)
	socketCode  = regexp.MustCompile(`\b(100[56]\d|1100[1-4])\b`)
	winhttpCode = regexp.MustCompile(`\b(12[01]\d\d)\b`)
	winhttpWord = regexp.MustCompile(`winhttp|wininet|internet|bits|wsus|windows ?update|http|error|fehler|erreur|code|0x`)
	socketWord  = regexp.MustCompile(`socket|wsa|winsock|error|fehler|erreur|errno|code|connect|native`)

	opensslCode = regexp.MustCompile(`\berror:([0-9a-f]{8})\b`)

	eventNumber = regexp.MustCompile(`\b(368[67]\d|3688[0-8])\b`)
	eventWord   = regexp.MustCompile(`schannel|event|ereignis|événement|evenement|evento|событи|事件|イベント|\bid\b`)

	alertNumber = regexp.MustCompile(`(?:alert number|received alert \[|sent alert \[|fatal alert was received:|fatal alert code is|fatal error code is|alert code is|fatal\(2\) [a-z_]+\(|alertdesc"?>|alertdesc'>|alert \(|alert:? ?#?)\s*(\d{1,3})\b`)
	alertBeside = regexp.MustCompile(`\(alert (\d{1,3})\)|\b[a-z]+_[a-z_]+\((\d{1,3})\)`)
	curlAlert   = regexp.MustCompile(`tls alert, [a-z ]+\((\d{3})\)`)
	eventAlert  = regexp.MustCompile(`(?:[:=]|\bis\b|\bist\b|\best\b|\bes\b|lautet|为|は|code)\s*(\d{1,3})\b`)
	localAlert  = regexp.MustCompile(`(?m)(?:warnung|alarm|alerte|alerta|avviso|waarschuwing|оповещен|предупрежд|アラート|警告|警报|警報)[^\n]{0,220}?\btls[^\n]{0,90}?[\s:：]\s*(\d{1,3})\s*(?:です)?\s*(?:[.。]\s|[.。]?$)`)
	eventData   = regexp.MustCompile(`<data[^>]*>(\d{1,3})</data>`)
)

// fromWin32 returns the HRESULT of an error number of Windows: those of
// sockets, WinHTTP and WinINet stand in facility 7.
func fromWin32(n int) uint32 { return 0x80070000 | uint32(n) }

// openssl reasons that stand for an entry of the catalogue; those above 1000
// are alerts (OpenSSL, include/openssl/sslerr.h).
var opensslReasons = map[uint64]string{
	0x10B: "not-tls", 0x09C: "not-tls", 0x09B: "not-tls", 0x0C6: "not-tls",
	0x102: "openssl-unsupported-protocol", 0x0BF: "openssl-unsupported-protocol",
	0x0B5: "no-ciphers-available", 0x0C1: "suites-none", 0x14D: "openssl-legacy-sigalg", 0x126: "eof", 0x086: "untrusted",
	0x18A: "cert-weak", 0x18D: "cert-weak", 0x18E: "cert-weak", 0x18F: "cert-weak", 0x172: "cert-weak",
}

// numbersIn finds numbers in one form of a text. A number that stands alone
// counts in a short text, and elsewhere beside a word that says what it is.
func (n *found) numbersIn(text string, short bool) (entries []string) {
	if strings.Contains(text, "8009") || strings.Contains(text, "8007") || strings.Contains(text, "800b") {
		for _, m := range hexCode.FindAllStringSubmatch(text, 200) {
			if v, err := strconv.ParseUint(m[1], 16, 32); err == nil {
				n.codes[uint32(v)] = true
			}
		}
	}
	if strings.Contains(text, "214") {
		for _, m := range decimalCode.FindAllStringSubmatch(text, 200) {
			if v, err := strconv.ParseInt(m[1]+m[2], 10, 64); err == nil {
				n.codes[uint32(v)] = true
			}
		}
	}
	if strings.Contains(text, "100") || strings.Contains(text, "1100") {
		n.win32(text, socketCode, socketWord, short)
	}
	if strings.Contains(text, "12") {
		n.win32(text, winhttpCode, winhttpWord, short)
	}
	if strings.Contains(text, "error:") {
		for _, m := range opensslCode.FindAllStringSubmatch(text, 200) {
			v, err := strconv.ParseUint(m[1], 16, 32)
			reason := v & 0xFFF
			switch id := opensslReasons[reason]; {
			case err != nil || v>>24 != 0x0A && v>>24 != 0x14:
			case reason >= 1000 && reason <= 1120:
				n.alerts[int(reason-1000)] = true
			case id != "":
				entries = append(entries, id)
			}
		}
	}
	if strings.Contains(text, "368") {
		for _, at := range eventNumber.FindAllStringSubmatchIndex(text, 200) {
			if !short && !eventWord.MatchString(text[max(0, at[0]-200):min(len(text), at[1]+200)]) {
				continue
			}
			v, _ := strconv.Atoi(text[at[2]:at[3]])
			n.events[v] = true
			n.sent = n.sent || v == 36888
			if v == 36887 || v == 36888 { // the sentence is translated, the number of the alert is not
				n.alertsBy(eventAlert, text)
				n.alertsBy(eventData, text)
			}
		}
	}
	if containsAny(text, besideAlertNumber) {
		n.alertsBy(alertNumber, text)
	}
	if strings.Contains(text, "tls") && containsAny(text, wordsForAlert) {
		n.alertsBy(localAlert, text)
	}
	if containsAny(text, besideAlertName()) {
		n.alertsBy(alertBeside, text)
	}
	if strings.Contains(text, "tls alert, ") {
		for _, m := range curlAlert.FindAllStringSubmatch(text, 50) {
			if v, _ := strconv.Atoi(m[1]); v>>8 == 2 { // 2 is "fatal"
				n.alerts[v&0xFF] = true
			}
		}
	}
	return entries
}

// besideAlertNumber has a part of everything that alertNumber matches: looking
// for these first is many times faster.
var besideAlertNumber = []string{"alert number", "received alert", "sent alert", "fatal alert", "error code", "alert code", "fatal(2)", "alertdesc", "alert (", "alert:"}

// wordsForAlert are what Windows calls an alert in other languages. The number
// at the end of a sentence with one of them and "TLS" is that of the alert.
var wordsForAlert = []string{"warnung", "alarm", "alerte", "alerta", "avviso", "waarschuwing", "оповещен", "предупрежд", "アラート", "警告", "警报", "警報"}

// besideAlertName does the same for alertBeside: "handshake_failure(40)".
var besideAlertName = sync.OnceValue(func() []string {
	list := []string{"(alert "}
	for _, e := range alertEntries() {
		list = append(list, e.AlertName[strings.LastIndexByte(e.AlertName, '_'):]+"(")
	}
	return list
})

func containsAny(text string, list []string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(text, s) })
}

func (n *found) win32(text string, number, word *regexp.Regexp, short bool) {
	for _, at := range number.FindAllStringSubmatchIndex(text, 200) {
		from := max(0, at[0]-60)
		if !short && !word.MatchString(text[from:min(len(text), at[1]+40)]) {
			continue
		}
		v, _ := strconv.Atoi(text[at[2]:at[3]])
		n.codes[fromWin32(v)] = true
	}
}

func (n *found) alertsBy(re *regexp.Regexp, text string) {
	for _, m := range re.FindAllStringSubmatch(text, 50) {
		for _, digits := range m[1:] {
			if v, err := strconv.Atoi(digits); err == nil && v <= 255 {
				if _, known := alertEntries()[v]; known {
					n.alerts[v] = true
				}
			}
		}
	}
}
