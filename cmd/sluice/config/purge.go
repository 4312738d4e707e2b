package config

import "sluice/gateway/purge"

// PurgeEvents is where other systems say which kept answers are not to be given
// any more, beside Redis.
type PurgeEvents struct {
	NATS *PurgeNATS `json:"nats"` // nil: nowhere
	AMQP *PurgeAMQP `json:"amqp"` // likewise
}

// PurgeNATS is a subject of a NATS server.
type PurgeNATS struct {
	URL     Secret `json:"url"` // which may hold a password
	Subject string `json:"subject"`
}

// PurgeAMQP is an exchange of a RabbitMQ, or a queue.
type PurgeAMQP struct {
	URL      Secret `json:"url"`
	Exchange string `json:"exchange"` // each replica hears all of it
	Key      string `json:"key"`      // by which its queue is bound to the exchange
	Queue    string `json:"queue"`    // of which each message goes to one replica
}

func defaultPurgeNATS() PurgeNATS { return PurgeNATS{Subject: "sluice.purge"} }
func defaultPurgeAMQP() PurgeAMQP { return PurgeAMQP{Key: "#"} }

// Source is what is listened to; nil of nil.
func (n *PurgeNATS) Source() *purge.NATS {
	if n == nil {
		return nil
	}
	return &purge.NATS{URL: n.URL.Reveal(), Subject: n.Subject}
}

// Source is what is listened to; nil of nil.
func (a *PurgeAMQP) Source() *purge.AMQP {
	if a == nil {
		return nil
	}
	return &purge.AMQP{URL: a.URL.Reveal(), Exchange: a.Exchange, Key: a.Key, Queue: a.Queue}
}

func (k *checker) purgeEvents() {
	if n := k.config.Purge.NATS; n != nil {
		if field, err := n.Source().Check(); err != nil {
			k.fault([]string{"purge", "nats", field}, "%v", err)
		}
	}
	a := k.config.Purge.AMQP
	if a == nil {
		return
	}
	at := []string{"purge", "amqp"}
	if field, err := a.Source().Check(); err != nil {
		k.fault(below(at, field), "%v", err)
	}
	switch {
	case (a.Exchange == "") == (a.Queue == ""):
		k.fault(at, "want exchange, which every replica hears, or queue, of which each message goes to one")
	case a.Queue != "" && k.origin.given(below(at, "key")...):
		k.fault(below(at, "key"), "is for exchange")
	}
	if len(a.Exchange) > 255 || len(a.Queue) > 255 || len(a.Key) > 255 {
		k.fault(at, "want names of at most 255 bytes")
	}
}
