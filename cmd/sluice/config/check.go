package config

func check(c *Config, d *decoder, enabled []string) {}
