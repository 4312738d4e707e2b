package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"sluice/billing"
)

// Prices is the billing.PriceStore in the database.
type Prices struct{ *Store }

var _ billing.PriceStore = (*Prices)(nil)

// Prices is the store of prices that were set.
func (s *Store) Prices() *Prices { return &Prices{s} }

// SetPrice adds a price, and gives it its ID.
func (p *Prices) SetPrice(ctx context.Context, s billing.SetPrice) (int64, error) {
	body := []byte{}
	if s.Prices != nil {
		var err error
		if body, err = json.Marshal(s.Prices); err != nil {
			return 0, fmt.Errorf("cannot write the price of %s/%s: %w", s.Provider, s.Model, err)
		}
	}
	var id int64
	err := p.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "INSERT INTO prices (provider, model, counts_from, prices, source, created) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
			s.Provider, s.Model, unix(s.From), string(body), s.Source, s.Set.UnixNano()).Scan(&id)
	})
	if err != nil {
		return 0, fmt.Errorf("cannot write the price of %s/%s: %w", s.Provider, s.Model, err)
	}
	return id, nil
}

// SetPrices lists all of them, in the order in which they were set.
func (p *Prices) SetPrices(ctx context.Context) ([]billing.SetPrice, error) {
	rows, err := p.read.QueryContext(ctx, "SELECT id, provider, model, counts_from, prices, source, created FROM prices ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("cannot list prices: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []billing.SetPrice
	for rows.Next() {
		var s billing.SetPrice
		var from, set int64
		var body string
		if err := rows.Scan(&s.ID, &s.Provider, &s.Model, &from, &body, &s.Source, &set); err != nil {
			return nil, fmt.Errorf("cannot list prices: %w", err)
		}
		if body != "" {
			if err := json.Unmarshal([]byte(body), &s.Prices); err != nil {
				return nil, fmt.Errorf("cannot read price %d: %w", s.ID, err)
			}
		}
		s.From, s.Set = time.Unix(0, from).UTC(), time.Unix(0, set).UTC()
		out = append(out, s)
	}
	return out, rows.Err()
}
