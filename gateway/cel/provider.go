package cel

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

var (
	callerType   = types.NewObjectType("sluice.Caller")
	certType     = types.NewObjectType("sluice.Cert")
	requestType  = types.NewObjectType("sluice.Request")
	responseType = types.NewObjectType("sluice.Response")
	stringsType  = cel.ListType(cel.StringType)
	wordsType    = cel.MapType(cel.StringType, cel.StringType)
)

// field is one field of a variable. get is given a pointer to the struct.
type field struct {
	typ *cel.Type
	get func(of any) any
}

var noCert = &Cert{}

func (c *Caller) cert() *Cert {
	if c.Cert == nil {
		return noCert
	}
	return c.Cert
}

// objects are the types of the variables: what each has, and where from.
var objects = map[string]map[string]field{
	"sluice.Caller": {
		"team":   {cel.StringType, func(of any) any { return of.(*Caller).Team }},
		"key":    {cel.StringType, func(of any) any { return of.(*Caller).Key }},
		"user":   {cel.StringType, func(of any) any { return of.(*Caller).User }},
		"roles":  {stringsType, func(of any) any { return of.(*Caller).Roles }},
		"scopes": {stringsType, func(of any) any { return of.(*Caller).Scopes }},
		"claims": {cel.MapType(cel.StringType, cel.DynType), func(of any) any { return of.(*Caller).Claims }},
		"ip":     {cel.StringType, func(of any) any { return of.(*Caller).IP }},
		"cert":   {certType, func(of any) any { return of.(*Caller).cert() }},
	},
	"sluice.Cert": {
		"subject":     {cel.StringType, func(of any) any { return of.(*Cert).Subject }},
		"issuer":      {cel.StringType, func(of any) any { return of.(*Cert).Issuer }},
		"serial":      {cel.StringType, func(of any) any { return of.(*Cert).Serial }},
		"fingerprint": {cel.StringType, func(of any) any { return of.(*Cert).Fingerprint }},
		"name":        {cel.StringType, func(of any) any { return of.(*Cert).Name }},
		"names":       {stringsType, func(of any) any { return of.(*Cert).Names }},
	},
	"sluice.Request": {
		"method":  {cel.StringType, func(of any) any { return of.(*Request).Method }},
		"path":    {cel.StringType, func(of any) any { return of.(*Request).Path }},
		"host":    {cel.StringType, func(of any) any { return of.(*Request).Host }},
		"headers": {wordsType, func(of any) any { return words{of.(*Request).Headers} }},
		"query":   {wordsType, func(of any) any { return words{of.(*Request).Query} }},
		"params":  {wordsType, func(of any) any { return words{of.(*Request).Params} }},
	},
	"sluice.Response": {
		"status":  {cel.IntType, func(of any) any { return of.(*Response).Status }},
		"headers": {wordsType, func(of any) any { return words{of.(*Response).Headers} }},
	},
}

// provider knows the types of the variables beside CEL's own.
type provider struct{ *types.Registry }

func newProvider() (*provider, error) {
	r, err := types.NewRegistry()
	return &provider{r}, err
}

// FindStructType is the type of a name.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if _, ours := objects[name]; ours {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames are the fields of a type.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	fields, ours := objects[name]
	if !ours {
		return p.Registry.FindStructFieldNames(name)
	}
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, true
}

// FindStructFieldType is one field of a type. has() is true of what is not
// empty.
func (p *provider) FindStructFieldType(name, part string) (*types.FieldType, bool) {
	fields, ours := objects[name]
	if !ours {
		return p.Registry.FindStructFieldType(name, part)
	}
	f, ok := fields[part]
	if !ok {
		return nil, false
	}
	return &types.FieldType{
		Type:    f.typ,
		IsSet:   func(of any) bool { return isSet(f.get(of)) },
		GetFrom: func(of any) (any, error) { return f.get(of), nil },
	}, true
}

func isSet(value any) bool {
	switch v := value.(type) {
	case string:
		return v != ""
	case []string:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	case *Cert:
		return v != noCert
	}
	return true
}

// NewValue refuses to make one: expressions are given them.
func (p *provider) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if _, ours := objects[name]; ours {
		return types.NewErr("a %s cannot be made by an expression", name)
	}
	return p.Registry.NewValue(name, fields)
}
