package cel

import (
	"path"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// inZones declares the functions of a time in a zone anew: those of the library
// read the zone's file each time, which takes longer than all else in a rule.
func inZones() (list []cel.EnvOption) {
	for function, overload := range map[string]string{
		overloads.TimeGetFullYear:     overloads.TimestampToYearWithTz,
		overloads.TimeGetMonth:        overloads.TimestampToMonthWithTz,
		overloads.TimeGetDayOfYear:    overloads.TimestampToDayOfYearWithTz,
		overloads.TimeGetDayOfMonth:   overloads.TimestampToDayOfMonthZeroBasedWithTz,
		overloads.TimeGetDate:         overloads.TimestampToDayOfMonthOneBasedWithTz,
		overloads.TimeGetDayOfWeek:    overloads.TimestampToDayOfWeekWithTz,
		overloads.TimeGetHours:        overloads.TimestampToHoursWithTz,
		overloads.TimeGetMinutes:      overloads.TimestampToMinutesWithTz,
		overloads.TimeGetSeconds:      overloads.TimestampToSecondsWithTz,
		overloads.TimeGetMilliseconds: overloads.TimestampToMillisecondsWithTz,
	} {
		list = append(list, cel.Function(function, cel.MemberOverload(overload, []*cel.Type{cel.TimestampType, cel.StringType}, cel.IntType,
			cel.BinaryBinding(func(at, in ref.Val) ref.Val { return inZone(function, at, in) }))))
	}
	return list
}

// inZone is what a function says of a time in a zone that has a name; the library
// knows the others, such as +02:00, and what is wrong with them.
func inZone(function string, at, in ref.Val) ref.Val {
	t, isTime := at.(types.Timestamp)
	name, isText := in.(types.String)
	switch {
	case !isTime:
		return types.MaybeNoSuchOverloadErr(at)
	case !isText:
		return types.MaybeNoSuchOverloadErr(in)
	}
	zone := zoneOf(string(name))
	if zone == nil {
		return t.Receive(function, "", []ref.Val{in})
	}
	return types.Timestamp{Time: t.In(zone)}.Receive(function, "", nil)
}

// zones are those that rules have named, of which there are only so many: others
// are not kept.
var zones sync.Map

// zoneOf is the zone of a name; nil: there is none.
func zoneOf(name string) *time.Location {
	if known, ok := zones.Load(name); ok {
		return known.(*time.Location)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	if path.Clean(name) == name { // a file has one such name, and endless others
		zones.Store(name, zone)
	}
	return zone
}
