package console

import "time"

// tryTime is the longest that an answer to "try a model" is waited for.
const tryTime = time.Minute
