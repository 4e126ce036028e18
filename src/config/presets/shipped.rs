//! The presets that ship with the program: the files of `rules/presets/`, built in.

macro_rules! shipped {
    ($($name:literal)+) => {
        /// Their texts by name, sorted.
        pub(super) const SHIPPED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../../rules/presets/", $name, ".toml"))),)+
        ];
    };
}

// One a line, so that two who add one each do not meet.
shipped! {
    "amqp"
    "diameter"
    "dns"
    "dns-over-tls"
    "ftp"
    "ftp-control"
    "ftps"
    "global-catalog"
    "http"
    "http-proxy"
    "http3"
    "https"
    "imap"
    "imaps"
    "ipsec"
    "kerberos"
    "kpasswd"
    "kubernetes-api"
    "ldap"
    "ldaps"
    "mail"
    "managesieve"
    "memcached"
    "minio"
    "mongodb"
    "mqtt"
    "mssql"
    "mysql"
    "nfs"
    "ntp"
    "openvpn"
    "pop3"
    "pop3s"
    "postgresql"
    "radius"
    "radsec"
    "rdp"
    "redis"
    "rtp"
    "s3"
    "sip"
    "smtp"
    "snmptrap"
    "ssh"
    "stun"
    "submission"
    "syslog"
    "tacacs"
    "web"
    "xmpp"
}
