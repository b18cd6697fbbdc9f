"""One module for each kind of channel: 钉钉, 企业微信, 飞书, mail, webhook, SMS gateway, syslog."""
