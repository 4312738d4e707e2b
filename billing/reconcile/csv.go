package reconcile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"
)

var hundred = big.NewRat(100, 1)

// row is a row of a CSV file by the names of its columns.
type row struct {
	columns map[string]int
	cells   []string
}

// text is the cell of a column; empty, too, where there is no such column.
func (r *row) text(column string) string {
	if i, ok := r.columns[column]; ok && i < len(r.cells) {
		return strings.TrimSpace(r.cells[i])
	}
	return ""
}

// count is a whole number, which some exports write as 3.0.
func (r *row) count(column string) (int64, error) {
	text := r.text(column)
	if text == "" {
		return 0, nil
	}
	whole, part, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 0 || n > mostTokens || strings.Trim(part, "0") != "" {
		return 0, fmt.Errorf("%s %.40q is no number of tokens", column, text)
	}
	return n, nil
}

// csv reads a file of a provider's console.
func (g *gathering) csv(b []byte) error {
	in := csv.NewReader(bytes.NewReader(b))
	in.ReuseRecord = true
	head, err := in.Read()
	if err != nil {
		return fmt.Errorf("it is neither JSON nor CSV: %w", err)
	}
	r := row{columns: map[string]int{}}
	for i, name := range head {
		r.columns[strings.ToLower(strings.TrimSpace(name))] = i
	}
	read, err := g.reader(r.columns, head)
	if err != nil {
		return err
	}
	for {
		if r.cells, err = in.Read(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err // it names the line
		}
		if err := read(&r); err != nil {
			line, _ := in.FieldPos(0)
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// reader finds out by the columns what the file is.
func (g *gathering) reader(columns map[string]int, head []string) (func(*row) error, error) {
	for _, form := range []struct {
		read func(*row) error
		want []string
	}{
		{g.anthropicCost, []string{"usage_date_utc", "model", "cost_usd"}},
		{g.anthropicUsage, []string{"usage_date_utc", "model_version", "usage_input_tokens_no_cache", "usage_input_tokens_cache_read", "usage_output_tokens"}},
		{g.openAICost, []string{"start_time", "amount_value"}},
		{g.openAIUsage, []string{"start_time", "input_tokens"}},
	} {
		has := true
		for _, name := range form.want {
			_, ok := columns[name]
			has = has && ok
		}
		if has {
			return form.read, nil
		}
	}
	return nil, fmt.Errorf("its columns %.200q are those of no usage or cost export of OpenAI or Anthropic", strings.Join(head, ","))
}

func (g *gathering) openAIUsage(r *row) error {
	day, err := r.unixDay()
	if err != nil {
		return err
	}
	f, err := r.figures("input_tokens", "input_cached_tokens", "input_cache_write_tokens", "output_tokens")
	if err != nil {
		return err
	}
	return g.use(day, r.text("model"), f)
}

func (g *gathering) openAICost(r *row) error {
	day, err := r.unixDay()
	if err != nil {
		return err
	}
	if r.text("amount_value") == "" { // a day without costs
		return g.pay(day, "", new(big.Rat))
	}
	if err := dollars(r.text("amount_currency")); err != nil {
		return err
	}
	usd, err := amount(r.text("amount_value"))
	if err != nil {
		return fmt.Errorf("amount_value: %w", err)
	}
	return g.pay(day, lineItem(r.text("line_item")), usd)
}

func (g *gathering) anthropicUsage(r *row) error {
	day, err := r.date()
	if err != nil {
		return err
	}
	f, err := r.figures("usage_input_tokens_no_cache", "usage_input_tokens_cache_read", "usage_input_tokens_cache_write_5m", "usage_output_tokens")
	if err != nil {
		return err
	}
	for _, more := range []string{"usage_input_tokens_cache_write_1h", "usage_input_tokens_cache_write"} { // the second is of older files, alone
		n, err := r.count(more)
		if err != nil {
			return err
		}
		f[iCacheWrite] += n
	}
	f[iInput] += f[iCachedInput] + f[iCacheWrite]
	return g.use(day, r.text("model_version"), f)
}

func (g *gathering) anthropicCost(r *row) error {
	day, err := r.date()
	if err != nil {
		return err
	}
	usd, err := amount(r.text("cost_usd"))
	if err != nil {
		return fmt.Errorf("cost_usd: %w", err)
	}
	model := r.text("model")
	if other := r.text("cost_type"); model == "" && other != "" {
		model = "(" + other + ")"
	}
	return g.pay(day, model, usd)
}

// figures reads columns of tokens in the order of Figures.
func (r *row) figures(columns ...string) (f Figures, err error) {
	for i, name := range columns {
		if f[i], err = r.count(name); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (r *row) unixDay() (time.Time, error) {
	n, err := strconv.ParseInt(r.text("start_time"), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("start_time %.40q is no Unix time", r.text("start_time"))
	}
	return dayOf(time.Unix(n, 0))
}

func (r *row) date() (time.Time, error) {
	t, err := time.Parse(time.DateOnly, r.text("usage_date_utc"))
	if err != nil {
		return t, fmt.Errorf("usage_date_utc %.40q is no date such as 2026-11-29", r.text("usage_date_utc"))
	}
	return dayOf(t)
}
