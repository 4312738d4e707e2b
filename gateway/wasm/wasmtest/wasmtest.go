// Package wasmtest writes WebAssembly modules of a few instructions, for tests
// of policies: well-behaved ones, and those that run wild.
package wasmtest

// What a module's functions do.
var (
	Trap    = []byte{0x00}                               // unreachable
	Forever = []byte{0x03, 0x40, 0x0c, 0x00, 0x0b, 0x00} // loop; br 0; end; unreachable
	// Hog grows its memory until it gets no more, and traps then.
	Hog = []byte{0x03, 0x40, 0x41, 0x01, 0x40, 0x00, 0x41, 0x7f, 0x46, 0x04, 0x40, 0x00, 0x0b, 0x0c, 0x00, 0x0b, 0x00}
	// Outside gives a place that no memory has.
	Outside = Place(1<<30, 10)
)

// Where answers stand in the memory, one each for requests and responses, and
// where input goes.
const (
	requestAt  = 16
	responseAt = 4096
	inputAt    = 8192
)

// Place gives a place, as a function's result.
func Place(at, length int64) []byte { return append([]byte{0x42}, signed(at<<32|length)...) }

// Module is what a test wants of a module.
type Module struct {
	Request  string // what on_request says; or
	Code     []byte // what it does
	Response string // what on_response says; empty: there is none
	Once     bool   // alloc traps when it is called again
	Pages    int    // of memory; 0: 4
	Without  string // an export that it lacks
	Import   string // a function of env that it imports, of the type of alloc
}

// Bytes are the module in the binary format (WebAssembly Core Specification 2.0,
// section 5).
func (m Module) Bytes() []byte {
	code := m.Code
	if code == nil {
		code = Place(requestAt, int64(len(m.Request)))
	}
	alloc := append([]byte{0x41}, signed(inputAt)...)
	if m.Once { // global.get 0; if; unreachable; end; i32.const 1; global.set 0
		alloc = append([]byte{0x23, 0x00, 0x04, 0x40, 0x00, 0x0b, 0x41, 0x01, 0x24, 0x00}, alloc...)
	}
	bodies, types, imported := [][]byte{alloc, code}, []byte{0, 1}, 0
	names := []string{"alloc", "on_request"}
	if m.Response != "" {
		bodies, types, names = append(bodies, Place(responseAt, int64(len(m.Response)))), append(types, 1), append(names, "on_response")
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = section(out, 1, []byte{2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 2, 0x7f, 0x7f, 1, 0x7e})
	if m.Import != "" {
		imported = 1
		out = section(out, 2, append(name(name([]byte{1}, "env"), m.Import), 0x00, 0x00))
	}
	out = section(out, 3, append([]byte{byte(len(types))}, types...))
	pages := m.Pages
	if pages == 0 {
		pages = 4
	}
	out = section(out, 5, append([]byte{1, 0}, unsigned(pages)...))
	out = section(out, 6, []byte{1, 0x7f, 0x01, 0x41, 0x00, 0x0b})
	exports, n := []byte{}, byte(0)
	export := func(what string, kind, index byte) {
		if what != m.Without {
			exports, n = append(name(exports, what), kind, index), n+1
		}
	}
	export("memory", 2, 0)
	for i, what := range names {
		export(what, 0, byte(i+imported))
	}
	out = section(out, 7, append([]byte{n}, exports...))
	coded := []byte{byte(len(bodies))}
	for _, b := range bodies {
		b = append(append([]byte{0}, b...), 0x0b)
		coded = append(append(coded, unsigned(len(b))...), b...)
	}
	out = section(out, 10, coded)
	return section(out, 11, data(data([]byte{2}, requestAt, m.Request), responseAt, m.Response))
}

func section(out []byte, id byte, content []byte) []byte {
	return append(append(append(out, id), unsigned(len(content))...), content...)
}

func name(out []byte, text string) []byte {
	return append(append(out, unsigned(len(text))...), text...)
}

func data(out []byte, at int64, text string) []byte {
	out = append(append(append(out, 0x00, 0x41), signed(at)...), 0x0b)
	return name(out, text)
}

// unsigned and signed are numbers in LEB128.
func unsigned(n int) (out []byte) {
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}

func signed(n int64) (out []byte) {
	for ; n < -64 || n >= 64; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n)&0x7f)
}
