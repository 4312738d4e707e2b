#!/bin/sh
# Brings a running gateway to what a configuration file says, from any CI.
#
#   deploy.sh plan  FILE   check FILE, and print the body of a comment that tells
#                          what it would change: {"body": "…"}
#   deploy.sh apply FILE   check FILE, make the change, and see that nothing is left
#
# The gateway is SLUICE_ADMIN, its token SLUICE_ADMIN_TOKEN; SLUICE is the binary.
# What apply's revision is for is MESSAGE; FORCE=1 lets a change break callers.
#
# Exit codes: 0 the gateway is what FILE says; 1 it could not be asked, or
# refused; 2 FILE has faults, or the arguments have; 3 (plan) changes wait;
# 4 (apply) the gateway is still another than FILE says.
set -u
sluice=${SLUICE:-sluice}

if [ $# -ne 2 ] || { [ "$1" != plan ] && [ "$1" != apply ]; }; then
	echo "usage: $0 plan|apply FILE" >&2
	exit 2
fi
do=$1 file=$2

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# comment prints {"body": "…"} of a title and a text, which is indented as code
# so that nothing in it is taken for markup, and cut where comments would be
# refused as too long.
comment() {
	[ "$do" = plan ] || return 0
	{
		printf '### %s\n\n' "$1"
		[ ! -s "$2" ] || sed 's/^/    /' "$2"
	} | LC_ALL=C awk '
		BEGIN { printf "{\"body\":\"" }
		size > 50000 { left++; next }
		{
			gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); gsub(/\t/, "\\t"); gsub(/[\001-\037]/, "")
			size += length($0) + 2
			printf "%s\\n", $0
		}
		END {
			if (left) printf "\\n… and %d lines more", left
			print "\"}"
		}'
}

# differs asks the gateway what FILE would change. A difference and a failure end
# with the same code: only the first says what.
differs() {
	"$sluice" diff -c "$file" --json >"$work/diff.json" 2>"$work/said"
	code=$?
	if [ $code -eq 1 ] && [ ! -s "$work/diff.json" ]; then
		code=5
	fi
	return $code
}

if ! "$sluice" check -c "$file" >"$work/said" 2>&1; then
	comment "The configuration has faults" "$work/said"
	cat "$work/said" >&2
	exit 2
fi

differs
case $? in
0)
	comment "The configuration changes nothing" /dev/null
	[ "$do" = plan ] || echo "$file: no difference"
	exit 0
	;;
1) ;;
2)
	comment "The gateway refuses the configuration" "$work/said"
	cat "$work/said" >&2
	exit 2
	;;
*)
	comment "The gateway cannot be asked" "$work/said"
	cat "$work/said" >&2
	exit 1
	;;
esac

if [ "$do" = plan ]; then
	"$sluice" diff -c "$file" >"$work/plan" 2>&1
	comment "The configuration changes" "$work/plan"
	exit 3
fi

"$sluice" apply -c "$file" --message "${MESSAGE:-$file}" ${FORCE:+--force}
code=$?
[ $code -eq 0 ] || exit $code
differs
case $? in
0) echo "$file: verified" ;;
1)
	echo "$file: the gateway is still another" >&2
	cat "$work/diff.json" >&2
	exit 4
	;;
*)
	cat "$work/said" >&2
	exit 1
	;;
esac
