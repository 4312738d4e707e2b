package alert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"

	"github.com/sethvargo/go-retry"
)

// Email is a mailbox and the server that takes mail for it.
type Email struct {
	Server         string // host:port
	TLS            string // starttls, implicit or none
	User, Password string // none: the server asks for none
	From           string
	To             []string
	Roots          *x509.CertPool // whom to trust; nil: the system's
}

// send hands a message to the server. What the server refuses for good is not
// worth another try.
func (e *Email) send(ctx context.Context, n *Notice) error {
	message, err := n.mail(e.From, e.To)
	if err != nil {
		return err
	}
	err = e.hand(ctx, message)
	var refusal *textproto.Error
	if err == nil || errors.As(err, &refusal) && refusal.Code >= 500 || errors.Is(err, errNoTLS) {
		return err
	}
	return retry.RetryableError(err)
}

var errNoTLS = errors.New("the mail server offers no STARTTLS: say tls: none to send in the clear")

func (e *Email) hand(ctx context.Context, message []byte) error {
	host, _, err := net.SplitHostPort(e.Server)
	if err != nil {
		return err
	}
	trust := &tls.Config{ServerName: host, RootCAs: e.Roots, MinVersion: tls.VersionTLS12}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", e.Server)
	if err != nil {
		return fmt.Errorf("cannot reach the mail server: %w", err)
	}
	defer func() { _ = conn.Close() }() // it was used, or failed for another reason
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if e.TLS == "implicit" {
		conn = tls.Client(conn, trust)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	if e.TLS == "starttls" {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return errNoTLS
		}
		if err := c.StartTLS(trust); err != nil {
			return err
		}
	}
	if e.User != "" {
		if err := c.Auth(smtp.PlainAuth("", e.User, e.Password, host)); err != nil {
			return fmt.Errorf("the mail server does not let us in: %w", err)
		}
	}
	return e.transfer(c, message)
}

func (e *Email) transfer(c *smtp.Client, message []byte) error {
	if err := c.Mail(bare(e.From)); err != nil {
		return err
	}
	for _, to := range e.To {
		if err := c.Rcpt(bare(to)); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(message); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // the message is taken
	return nil
}

// bare is an address without the name before it.
func bare(address string) string {
	if a, err := mail.ParseAddress(address); err == nil {
		return a.Address
	}
	return address
}
