package billing

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"net/netip"
	"strings"
	"time"
)

// A key of ours is "sk-sl-", twelve public characters, "-", and thirty-eight
// secret ones, the last six of which are a checksum of everything before them:
// a mistyped or invented key is known without a look at the store, and a
// scanner for leaked secrets finds ours without false alarms.
const (
	keyScheme   = "sk-sl-"
	keyPublic   = 12
	keySecret   = 38
	keyChecksum = 6
	keyShown    = len(keyScheme) + keyPublic
	keyLen      = keyShown + 1 + keySecret
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// GenerateKey makes a new key from the system's randomness: 62^32 secrets.
func GenerateKey() string {
	key := make([]byte, 0, keyLen)
	key = append(key, keyScheme...)
	key = appendRandom(key, keyPublic)
	key = append(key, '-')
	key = appendRandom(key, keySecret-keyChecksum)
	return string(appendChecksum(key, key))
}

// appendRandom appends n characters, each of the 62 as likely as any other.
func appendRandom(dst []byte, n int) []byte {
	var pool [64]byte
	for n > 0 {
		_, _ = rand.Read(pool[:]) // never fails: it ends the process instead
		for _, b := range pool {
			if b < 248 && n > 0 { // 248 = 4 * 62: what is above would favour the first characters
				dst = append(dst, base62[b%62])
				n--
			}
		}
	}
	return dst
}

// appendChecksum appends the CRC-32 (IEEE) of body in base 62.
func appendChecksum(dst, body []byte) []byte {
	sum := crc32.ChecksumIEEE(body)
	var digits [keyChecksum]byte
	for i := keyChecksum - 1; i >= 0; i-- {
		digits[i] = base62[sum%62]
		sum /= 62
	}
	return append(dst, digits[:]...)
}

// ParseKey tells whether s has the shape of a key of ours, checksum included,
// and gives the part that may be shown. Keys that were brought along from
// elsewhere have no shape: they are valid if the store knows their hash.
func ParseKey(s string) (prefix string, ok bool) {
	if len(s) != keyLen || !strings.HasPrefix(s, keyScheme) || s[keyShown] != '-' {
		return "", false
	}
	for i := len(keyScheme); i < len(s); i++ {
		if i != keyShown && strings.IndexByte(base62, s[i]) < 0 {
			return "", false
		}
	}
	body := []byte(s[:keyLen-keyChecksum])
	if string(appendChecksum(nil, body)) != s[len(body):] {
		return "", false
	}
	return s[:keyShown], true
}

// ShownPrefix is what may be shown of any key: the public part of one of ours,
// of another at most its first six characters and never more than a quarter.
func ShownPrefix(s string) string {
	if prefix, ok := ParseKey(s); ok {
		return prefix
	}
	return s[:min(6, len(s)/4)] + "…"
}

// HashKey is the SHA-256 of the whole key: what a file may declare of it. What
// is stored is its Salt's.
func HashKey(s string) [32]byte { return sha256.Sum256([]byte(s)) }

// ParseHash reads the hash of a key: the 64 hexadecimal digits of its SHA-256,
// with or without "sha256:" before them.
func ParseHash(s string) (hash [32]byte, err error) {
	digits, _ := strings.CutPrefix(s, "sha256:")
	if b, err := hex.DecodeString(digits); err == nil && len(b) == len(hash) {
		return [32]byte(b), nil
	}
	return hash, errors.New("want the SHA-256 of the key as sha256: and 64 hexadecimal digits")
}

// Salt is an installation's own secret: of the same key two installations store
// different hashes, and no table of hashes that somebody made beforehand fits.
type Salt [32]byte

// Of is what is stored of a key with a hash. Salt and hash have one length
// each, so that nothing can be appended: it needs no HMAC, which allocates.
func (s *Salt) Of(hash [32]byte) [32]byte {
	var both [2 * sha256.Size]byte
	copy(both[:], s[:])
	copy(both[sha256.Size:], hash[:])
	return sha256.Sum256(both[:])
}

// SaltedHash is the key's hash with the salt.
func (k *Key) SaltedHash(s *Salt) [32]byte {
	if k.Salted {
		return k.Hash
	}
	return s.Of(k.Hash)
}

// HashPrefix is what is shown of a key of which only the hash is known.
func HashPrefix(hash [32]byte) string { return "sha256:" + hex.EncodeToString(hash[:4]) }

// account is the ID of the key whose budget and limits it counts in: a key that
// was rotated goes on where the old one is, and both share while both work.
func (k *Key) account() string { return cmp.Or(k.Account, k.ID) }

// InForce tells whether the key may be used at a time.
func (k *Key) InForce(now time.Time) bool {
	return (k.Revoked.IsZero() || now.Before(k.Revoked)) && (k.Expires.IsZero() || now.Before(k.Expires))
}

// AllowsPrompt tells whether the key's own list grants a prompt; an empty list
// grants all.
func (k *Key) AllowsPrompt(name string) bool {
	return len(k.Prompts) == 0 || MatchModel(k.Prompts, name)
}

// AllowsIP tells whether a caller's address is one that the key may be used
// from; an empty list is every address. An entry that is no CIDR and no address
// lets nobody in.
func (k *Key) AllowsIP(ip netip.Addr) bool {
	if len(k.IPs) == 0 {
		return true
	}
	ip = ip.Unmap()
	for _, text := range k.IPs {
		if net, err := netip.ParsePrefix(text); err == nil && net.Contains(ip) {
			return true
		}
		if one, err := netip.ParseAddr(text); err == nil && one.Unmap() == ip {
			return true
		}
	}
	return false
}

// MatchModel tells whether a name matches one of the patterns, in which "*"
// stands for any characters, "/" included, or none. No pattern matches nothing.
func MatchModel(patterns []string, name string) bool {
	for _, p := range patterns {
		if matchGlob(p, name) {
			return true
		}
	}
	return false
}

// matchGlob matches in linear time for each star: it goes back to the last one
// only.
func matchGlob(pattern, name string) bool {
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
