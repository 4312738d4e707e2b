package console

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
)

// portalPaths are where browsers send the session's cookie: to the portal, and
// to no prompt and no backend.
var portalPaths = []string{"/portal", "/docs"}

// memberOf is who a member is to the admin API. What people are called is in no
// audit record.
func memberOf(k *billing.Key) admin.Identity {
	who := admin.Identity{Role: admin.RoleTeamOwner, Team: k.Team, Key: k, Name: "key " + k.Team + "/" + k.Name}
	if who.IsPerson() {
		who.Name = "(user)"
	}
	return who
}

// who is signed in; nil: nobody. A session is worth no more than its key, which
// may have been revoked since or may not be used from here, or than the team of
// a person.
func (p *Portal) who(r *http.Request) *Member {
	s, _, ok := p.current(r)
	if !ok {
		return nil
	}
	if s.person == nil {
		m := p.Member(s.token, r.RemoteAddr)
		if m != nil {
			m.called = m.Key.Team + "/" + m.Key.Name
		}
		return m
	}
	m := p.memberIn(p.signOn(), s.person, s.team)
	if m != nil {
		m.called = cmp.Or(s.person.name, s.person.user)
	}
	return m
}

// memberIn is a person in the team that they chose, or else the first that they
// are in; nil: they are in none that there is.
func (p *Portal) memberIn(o *OIDC, of *person, chosen string) *Member {
	if of.user == "" {
		return nil
	}
	var found *Member
	var teams []string
	for _, team := range o.teams(of) {
		m := p.Person(team, of.user)
		switch {
		case m == nil:
			continue
		case found == nil || team == chosen:
			found, teams = m, append([]string{team}, teams...)
		default:
			teams = append(teams, team)
		}
	}
	if found != nil {
		found.teams = teams
	}
	return found
}

// teams are those that a person is in: those of the claim, then those of groups,
// by name.
func (o *OIDC) teams(p *person) []string {
	list := slices.Clone(p.teams)
	for _, team := range slices.Sorted(maps.Keys(o.Teams)) {
		if !slices.Contains(list, team) && slices.ContainsFunc(o.Teams[team], func(group string) bool { return slices.Contains(p.groups, group) }) {
			list = append(list, team)
		}
	}
	return list
}

// identify is who a person is in the portal.
func (p *Portal) identify(o *OIDC, of *person) (who admin.Identity, refusal string) {
	if m := p.memberIn(o, of, ""); m != nil {
		return memberOf(m.Key), ""
	}
	who = admin.Identity{Name: "(user)"}
	switch teams := o.teams(of); {
	case of.user == "":
		return who, "The identity provider does not say, or has not verified, who you are: it is to tell by the claim " + o.UserClaim + ". Ask who runs the gateway."
	case len(teams) == 0:
		return who, "You are in no team here: neither your groups nor the identity provider name one. Ask who runs the gateway, or sign in with a key of your team."
	default:
		return who, "There is no team " + strings.Join(teams, ", ") + " here. Ask who runs the gateway, or sign in with a key of your team."
	}
}

// chooseTeam goes on in another team that a person is in. The key that the
// session has is one of the team before.
func (v *portalVisit) chooseTeam() error {
	team := v.PostForm.Get("team")
	if !slices.Contains(v.member.teams, team) {
		return &problem{Status: http.StatusForbidden, Detail: "You are not in this team."}
	}
	_, secret, _ := v.p.current(v.Request)
	v.p.sessions.alter(secret, func(s *session) {
		s.team = team
		s.dropKey()
	})
	http.Redirect(v.w, v.Request, "/portal", http.StatusSeeOther)
	return nil
}

// Key is the key of a session, for a call that one of its pages makes: word is
// the one that its forms carry. Empty: there is no such session, or no key in it
// of a team that its person is in.
func (p *Portal) Key(session, word string) string {
	s, ok := p.session(session)
	if !ok || !sameWord(word, csrfWord(session)) {
		return ""
	}
	if s.person != nil && !slices.Contains(p.signOn().teams(s.person), s.keyTeam) { // the teams of groups may have changed
		return ""
	}
	return unseal(session, s.sealed)
}

func sameWord(a, b string) bool {
	return b != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

func (p *Portal) signInPage(w http.ResponseWriter, r *http.Request) {
	next := local(r.URL.Query().Get("next"))
	if p.who(r) != nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	p.askToSignIn(w, http.StatusOK, "", next)
}

// signIn takes the form.
func (p *Portal) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		p.fail(w, http.StatusBadRequest, "The form could not be read.")
		return
	}
	key, next := strings.TrimSpace(r.PostForm.Get("key")), local(r.PostForm.Get("next")) // never from the URL, which is logged
	if key != "" {
		if m := p.Member(billing.HashKey(key), r.RemoteAddr); m != nil {
			p.welcome(w, r, arrival{who: memberOf(m.Key), key: key, next: next})
			return
		}
	}
	p.wrongKey(w, r, next)
}

// wrongKey answers a key that opens nothing.
func (p *Portal) wrongKey(w http.ResponseWriter, r *http.Request, next string) {
	p.failed(r, "key")
	status, message := http.StatusUnauthorized, "This key is unknown, expired or revoked, or may not be used from here."
	if wait := p.Wrong(r.RemoteAddr); wait > 0 {
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", fmt.Sprint(int64((wait+time.Second-1)/time.Second)))
		message = "Too many wrong keys came from your address. Wait " + ago(wait) + ", then try again."
	}
	p.askToSignIn(w, status, message, next)
}

func (v *portalVisit) signOut() error {
	v.p.signOut(v.w, v.Request, v.who)
	return nil
}

// sealer follows from the secret of a session, which nothing else is told.
func sealer(secret string) cipher.AEAD {
	key := sha256.Sum256([]byte("key " + secret))
	block, err := aes.NewCipher(key[:])
	if err == nil {
		var aead cipher.AEAD
		if aead, err = cipher.NewGCM(block); err == nil {
			return aead
		}
	}
	panic(err) // a key of 32 bytes always fits
}

func seal(secret, text string) []byte {
	aead := sealer(secret)
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, []byte(text), nil)
}

func unseal(secret string, sealed []byte) string {
	aead := sealer(secret)
	if len(sealed) < aead.NonceSize() {
		return ""
	}
	text, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
	if err != nil {
		return ""
	}
	return string(text)
}

// alter changes a session that is open.
func (s *sessions) alter(secret string, change func(*session)) {
	hash := sha256.Sum256([]byte(secret))
	s.mu.Lock()
	defer s.mu.Unlock()
	if one, ok := s.open[hash]; ok {
		change(&one)
		s.open[hash] = one
	}
}

// rekey puts a key of a team into a session that is open. It is kept so that the
// session's secret alone opens it: pages fill it in, and their calls are made with
// it.
func (s *sessions) rekey(secret, key, team string) {
	s.alter(secret, func(one *session) { one.token, one.sealed, one.keyTeam = billing.HashKey(key), seal(secret, key), team })
}

func (s *session) dropKey() { s.token, s.sealed, s.keyTeam = [32]byte{}, nil, "" }

// become has a session go on as its person is now. A team that they have left is
// not chosen any more, and its key not used.
func (s *session) become(o *OIDC, p *person) {
	s.person = p
	teams := o.teams(p)
	if !slices.Contains(teams, s.team) {
		s.team = ""
	}
	if !slices.Contains(teams, s.keyTeam) {
		s.dropKey()
	}
}
