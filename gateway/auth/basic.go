package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Account is one of those who are declared by name.
type Account struct {
	Secret string // a password's bcrypt, or the shared secret of signatures
	Team   string // empty: none
	Roles  []string
}

func (a *Account) identity(method, user string) *Identity {
	return &Identity{ID: method + "/" + user, User: user, Team: a.Team, Roles: a.Roles}
}

// Basic is a Method: names and passwords.
type Basic struct {
	name  string
	users map[string]Account
	slots chan struct{} // of passwords that are compared at once: each takes a core for a while
	salt  [32]byte

	mu   sync.RWMutex
	good map[[32]byte]bool // names and passwords that were right, salted and hashed
}

// nobody is compared with for a name that is not known, so that it takes as
// long as for one that is.
var nobody = sync.OnceValue(func() []byte {
	hash, _ := bcrypt.GenerateFromPassword([]byte("nobody"), bcrypt.DefaultCost) // it fails for long passwords only
	return hash
})

// NewBasic makes the method. The passwords are checked with CheckPassword.
func NewBasic(name string, users map[string]Account) *Basic {
	b := &Basic{name: "basic:" + name, users: users, slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), good: map[[32]byte]bool{}}
	_, _ = rand.Read(b.salt[:]) // never fails: it ends the process instead
	return b
}

// CheckPassword tells whether a text is a password's bcrypt.
func CheckPassword(hash string) error {
	_, err := bcrypt.Cost([]byte(hash))
	return err
}

// Challenge asks for a name and a password.
func (b *Basic) Challenge() string { return `Basic realm="sluice", charset="UTF-8"` }

// Identify reads a name and a password (RFC 7617).
func (b *Basic) Identify(r *Request) (*Identity, error) {
	text := authorization(r.HTTP, "basic")
	if text == "" {
		return nil, nil
	}
	pair, err := base64.StdEncoding.DecodeString(text)
	user, password, ok := strings.Cut(string(pair), ":")
	if err != nil || !ok {
		return nil, Refused("the name and password are malformed")
	}
	account, known := b.users[user]
	mac := hmac.New(sha256.New, b.salt[:])
	mac.Write(pair)
	seen := [32]byte(mac.Sum(nil))
	b.mu.RLock()
	good := b.good[seen]
	b.mu.RUnlock()
	if !good {
		right, err := b.compare(account.Secret, password, known)
		if err != nil {
			return nil, err
		}
		if !right {
			return nil, Refused("the name or the password is wrong")
		}
		b.mu.Lock()
		if len(b.good) >= maxTokens {
			clear(b.good)
		}
		b.good[seen] = true
		b.mu.Unlock()
	}
	return account.identity(b.name, user), nil
}

// compare takes a while, whatever it finds, and gives up if too many others
// come first.
func (b *Basic) compare(secret, password string, known bool) (bool, error) {
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-time.After(patience):
		return false, unavailable(b.name, errBusy)
	}
	hash := []byte(secret)
	if !known {
		hash = nobody()
	}
	return bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil && known, nil
}
