// Runes everywhere; a warning of the compiler (accessibility included) fails `npm run check`.
export default { compilerOptions: { runes: true } }
