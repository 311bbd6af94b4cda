#!/bin/sh
# Makes the certificates of the tests anew: sh make.sh. Test only: their keys are public. Needs the openssl program.
#
# ca.pem signs server.pem and client.pem, the two sides of mutual TLS, both for localhost and 127.0.0.1.
set -eu
cd "$(dirname "$0")"

authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 36500 \
    -subj "/CN=test only $1" -keyout "$1.key" -out "$1.pem"
}

# signed NAME AUTHORITY
signed() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 36500 \
    -subj "/CN=test only $1" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" \
    -addext "basicConstraints=critical,CA:FALSE" -CA "$2.pem" -CAkey "$2.key" -keyout "$1.key" -out "$1.pem"
}

authority ca
signed server ca
signed client ca
rm ca.key
