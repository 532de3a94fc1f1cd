// SPDX-License-Identifier: Apache-2.0
// Constants of SHA-2 (FIPS 180-4, 4.2 and 5.3: fractional parts of roots of the first primes) and of Keccak (FIPS 202,
// 3.2.5), as lists for a macro: device code must have them as literals, host code makes tables of them.
#ifndef SPARKMILL_HASH_CONSTANTS_H
#define SPARKMILL_HASH_CONSTANTS_H

// clang-format off
/// R(round, constant), 64 rounds.
#define SM_SHA256_ROUNDS(R) \
  R(0,0x428a2f98u) R(1,0x71374491u) R(2,0xb5c0fbcfu) R(3,0xe9b5dba5u) R(4,0x3956c25bu) R(5,0x59f111f1u) \
  R(6,0x923f82a4u) R(7,0xab1c5ed5u) R(8,0xd807aa98u) R(9,0x12835b01u) R(10,0x243185beu) R(11,0x550c7dc3u) \
  R(12,0x72be5d74u) R(13,0x80deb1feu) R(14,0x9bdc06a7u) R(15,0xc19bf174u) R(16,0xe49b69c1u) R(17,0xefbe4786u) \
  R(18,0x0fc19dc6u) R(19,0x240ca1ccu) R(20,0x2de92c6fu) R(21,0x4a7484aau) R(22,0x5cb0a9dcu) R(23,0x76f988dau) \
  R(24,0x983e5152u) R(25,0xa831c66du) R(26,0xb00327c8u) R(27,0xbf597fc7u) R(28,0xc6e00bf3u) R(29,0xd5a79147u) \
  R(30,0x06ca6351u) R(31,0x14292967u) R(32,0x27b70a85u) R(33,0x2e1b2138u) R(34,0x4d2c6dfcu) R(35,0x53380d13u) \
  R(36,0x650a7354u) R(37,0x766a0abbu) R(38,0x81c2c92eu) R(39,0x92722c85u) R(40,0xa2bfe8a1u) R(41,0xa81a664bu) \
  R(42,0xc24b8b70u) R(43,0xc76c51a3u) R(44,0xd192e819u) R(45,0xd6990624u) R(46,0xf40e3585u) R(47,0x106aa070u) \
  R(48,0x19a4c116u) R(49,0x1e376c08u) R(50,0x2748774cu) R(51,0x34b0bcb5u) R(52,0x391c0cb3u) R(53,0x4ed8aa4au) \
  R(54,0x5b9cca4fu) R(55,0x682e6ff3u) R(56,0x748f82eeu) R(57,0x78a5636fu) R(58,0x84c87814u) R(59,0x8cc70208u) \
  R(60,0x90befffau) R(61,0xa4506cebu) R(62,0xbef9a3f7u) R(63,0xc67178f2u)
/// R(round, constant), 80 rounds.
#define SM_SHA512_ROUNDS(R) \
  R(0,0x428a2f98d728ae22ul) R(1,0x7137449123ef65cdul) R(2,0xb5c0fbcfec4d3b2ful) R(3,0xe9b5dba58189dbbcul) \
  R(4,0x3956c25bf348b538ul) R(5,0x59f111f1b605d019ul) R(6,0x923f82a4af194f9bul) R(7,0xab1c5ed5da6d8118ul) \
  R(8,0xd807aa98a3030242ul) R(9,0x12835b0145706fbeul) R(10,0x243185be4ee4b28cul) R(11,0x550c7dc3d5ffb4e2ul) \
  R(12,0x72be5d74f27b896ful) R(13,0x80deb1fe3b1696b1ul) R(14,0x9bdc06a725c71235ul) R(15,0xc19bf174cf692694ul) \
  R(16,0xe49b69c19ef14ad2ul) R(17,0xefbe4786384f25e3ul) R(18,0x0fc19dc68b8cd5b5ul) R(19,0x240ca1cc77ac9c65ul) \
  R(20,0x2de92c6f592b0275ul) R(21,0x4a7484aa6ea6e483ul) R(22,0x5cb0a9dcbd41fbd4ul) R(23,0x76f988da831153b5ul) \
  R(24,0x983e5152ee66dfabul) R(25,0xa831c66d2db43210ul) R(26,0xb00327c898fb213ful) R(27,0xbf597fc7beef0ee4ul) \
  R(28,0xc6e00bf33da88fc2ul) R(29,0xd5a79147930aa725ul) R(30,0x06ca6351e003826ful) R(31,0x142929670a0e6e70ul) \
  R(32,0x27b70a8546d22ffcul) R(33,0x2e1b21385c26c926ul) R(34,0x4d2c6dfc5ac42aedul) R(35,0x53380d139d95b3dful) \
  R(36,0x650a73548baf63deul) R(37,0x766a0abb3c77b2a8ul) R(38,0x81c2c92e47edaee6ul) R(39,0x92722c851482353bul) \
  R(40,0xa2bfe8a14cf10364ul) R(41,0xa81a664bbc423001ul) R(42,0xc24b8b70d0f89791ul) R(43,0xc76c51a30654be30ul) \
  R(44,0xd192e819d6ef5218ul) R(45,0xd69906245565a910ul) R(46,0xf40e35855771202aul) R(47,0x106aa07032bbd1b8ul) \
  R(48,0x19a4c116b8d2d0c8ul) R(49,0x1e376c085141ab53ul) R(50,0x2748774cdf8eeb99ul) R(51,0x34b0bcb5e19b48a8ul) \
  R(52,0x391c0cb3c5c95a63ul) R(53,0x4ed8aa4ae3418acbul) R(54,0x5b9cca4f7763e373ul) R(55,0x682e6ff3d6b2b8a3ul) \
  R(56,0x748f82ee5defb2fcul) R(57,0x78a5636f43172f60ul) R(58,0x84c87814a1f0ab72ul) R(59,0x8cc702081a6439ecul) \
  R(60,0x90befffa23631e28ul) R(61,0xa4506cebde82bde9ul) R(62,0xbef9a3f7b2c67915ul) R(63,0xc67178f2e372532bul) \
  R(64,0xca273eceea26619cul) R(65,0xd186b8c721c0c207ul) R(66,0xeada7dd6cde0eb1eul) R(67,0xf57d4f7fee6ed178ul) \
  R(68,0x06f067aa72176fbaul) R(69,0x0a637dc5a2c898a6ul) R(70,0x113f9804bef90daeul) R(71,0x1b710b35131c471bul) \
  R(72,0x28db77f523047d84ul) R(73,0x32caab7b40c72493ul) R(74,0x3c9ebe0a15c9bebcul) R(75,0x431d67c49c100d4cul) \
  R(76,0x4cc5d4becb3e42b6ul) R(77,0x597f299cfc657e2aul) R(78,0x5fcb6fab3ad6faecul) R(79,0x6c44198c4a475817ul)
/// H(word, value), 8 words.
#define SM_SHA256_START(H) \
  H(0,0x6a09e667u) H(1,0xbb67ae85u) H(2,0x3c6ef372u) H(3,0xa54ff53au) \
  H(4,0x510e527fu) H(5,0x9b05688cu) H(6,0x1f83d9abu) H(7,0x5be0cd19u)
#define SM_SHA512_START(H) \
  H(0,0x6a09e667f3bcc908ul) H(1,0xbb67ae8584caa73bul) H(2,0x3c6ef372fe94f82bul) H(3,0xa54ff53a5f1d36f1ul) \
  H(4,0x510e527fade682d1ul) H(5,0x9b05688c2b3e6c1ful) H(6,0x1f83d9abfb41bd6bul) H(7,0x5be0cd19137e2179ul)
/// R(round, constant), 24 rounds.
#define SM_KECCAK_ROUNDS(R) \
  R(0,0x0000000000000001ul) R(1,0x0000000000008082ul) R(2,0x800000000000808aul) R(3,0x8000000080008000ul) \
  R(4,0x000000000000808bul) R(5,0x0000000080000001ul) R(6,0x8000000080008081ul) R(7,0x8000000000008009ul) \
  R(8,0x000000000000008aul) R(9,0x0000000000000088ul) R(10,0x0000000080008009ul) R(11,0x000000008000000aul) \
  R(12,0x000000008000808bul) R(13,0x800000000000008bul) R(14,0x8000000000008089ul) R(15,0x8000000000008003ul) \
  R(16,0x8000000000008002ul) R(17,0x8000000000000080ul) R(18,0x000000000000800aul) R(19,0x800000008000000aul) \
  R(20,0x8000000080008081ul) R(21,0x8000000000008080ul) R(22,0x0000000080000001ul) R(23,0x8000000080008008ul)
// clang-format on

#endif
